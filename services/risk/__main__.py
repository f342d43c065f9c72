from services.risk.core import Config
from services.risk.service import build
from shared.main import main

main(build, Config)
