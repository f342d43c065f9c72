from services.pricing.core import Config
from services.pricing.service import build_timed
from shared.main import main

main(build_timed, Config)
