from services.market_making.core import Config
from services.market_making.service import build
from shared.main import main_with_runtime

main_with_runtime(build, Config)
