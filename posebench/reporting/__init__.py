"""The report: what an evaluation says, on one page, as Markdown, as JSON, or printed."""
