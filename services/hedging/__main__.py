from services.hedging.core import Config
from services.hedging.service import build
from shared.main import main

main(build, Config)
