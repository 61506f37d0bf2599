"""How a stage is launched: on which device, in how many processes and on how many machines."""
