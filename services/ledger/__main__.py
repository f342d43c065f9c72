from services.ledger.core import Config
from services.ledger.service import build
from shared.main import main

main(build, Config)
