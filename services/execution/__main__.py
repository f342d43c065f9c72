from services.execution.core import Config
from services.execution.service import build
from shared.main import main

if __name__ == "__main__":
    main(build, Config)
