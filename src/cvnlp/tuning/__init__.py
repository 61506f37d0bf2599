"""`cvnlp tune`: a search for better settings of a run, by its score on the validation split."""
