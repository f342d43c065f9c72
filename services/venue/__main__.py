from services.venue.core import Config
from services.venue.service import build
from shared.main import main_with_runtime

main_with_runtime(build, Config)
