"""The stages of the pipeline; each reads params.yaml, calls the library and writes its outputs."""

import signal

from cvnlp import hand_over

if hand_over.is_module(__name__):  # and before it imports anything
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until command_line handles it, Ctrl-C prints no traceback
    hand_over.hand_over()
