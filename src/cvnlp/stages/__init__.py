"""The stages of the pipeline; each reads params.yaml, calls the library and writes its outputs."""

from cvnlp.hand_over import hand_over

hand_over()  # before a stage imports anything: in `cvnlp repro` a server has done so already
