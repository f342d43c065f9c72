from services.gateway.core import Config
from services.gateway.service import build
from shared.main import main

if __name__ == "__main__":
    main(build, Config)
