"""How sure a number is, and what it hangs on: intervals, comparisons, sensitivity, ceilings, gaps."""
