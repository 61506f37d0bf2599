"""`make bench`: the speed and memory of this project, each next to the usual way of doing the same in the same run."""
