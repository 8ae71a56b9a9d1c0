"""The parts of sisock as processes of one machine, started together, kept alive and stopped together."""

from sisock.supervisor.parts import Part, plan
from sisock.supervisor.supervise import Change, Supervisor

__all__ = ["Change", "Part", "Supervisor", "plan"]
