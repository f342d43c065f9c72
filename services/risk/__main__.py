from shared.main import main

from services.risk.core import Config
from services.risk.service import build

main(build, Config)
