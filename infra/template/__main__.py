"""Writes the template where `make template` wants it: as YAML, for people, and as JSON, which is read sooner.

python -m infra.template FOLDER [zip]
"""

import json
import sys
from pathlib import Path

from infra.template import render, template
from infra.template.packaging import Packaging

if __name__ == "__main__":
    folder, *given = sys.argv[1:]
    packaging = Packaging(*given or [Packaging.IMAGE])
    Path(folder, "template.yaml").write_text(render(packaging), "utf-8")
    Path(folder, "template.json").write_text(json.dumps(template(packaging), indent=1), "utf-8")
