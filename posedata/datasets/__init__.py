"""One file for each dataset: `ENTRY = Entry(...)`, whose reader makes the columns. The file's name is the dataset's."""
