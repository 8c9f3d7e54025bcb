"""How good a model is: samples, grades, metrics and their intervals, of one model or of every checkpoint of a run."""
