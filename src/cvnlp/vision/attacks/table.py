"""All attacks by name, the weakest first."""

from cvnlp.vision.attacks.config import Attack
from cvnlp.vision.attacks.gradient import fgsm, pgd
from cvnlp.vision.attacks.random_noise import random_noise

ATTACKS: dict[str, Attack] = {"random": random_noise, "fgsm": fgsm, "pgd": pgd}
