"""All attacks by name, in the order in which they are made (params/attacks.py, AttackTable)."""

from cvnlp.vision.attacks.apgd import apgd_ce, apgd_dlr, apgd_t
from cvnlp.vision.attacks.config import AttackEntry
from cvnlp.vision.attacks.fab import fab_t
from cvnlp.vision.attacks.gradient import fgsm, pgd
from cvnlp.vision.attacks.random_noise import random_noise
from cvnlp.vision.attacks.square import square

ATTACKS: dict[str, AttackEntry] = {
    "random": AttackEntry(random_noise, gradient=False, alone=True),
    "fgsm": AttackEntry(fgsm, alone=True),
    "pgd": AttackEntry(pgd, alone=True),
    "apgd_ce": AttackEntry(apgd_ce),
    "apgd_dlr": AttackEntry(apgd_dlr),
    "apgd_t": AttackEntry(apgd_t),
    "fab_t": AttackEntry(fab_t),
    "square": AttackEntry(square, gradient=False),
}
