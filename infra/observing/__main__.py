from infra.observing.service import Config, build
from shared.main import main

if __name__ == "__main__":
    main(build, Config)
