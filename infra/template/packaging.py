"""How a function's code reaches it: as a container image, or as a zip where there is no engine for images."""

from enum import StrEnum

from infra.functions import Function
from infra.template.words import Value, ref, sub


class Packaging(StrEnum):
    """The two forms; a template differs by them in these properties and parameters alone."""

    IMAGE = "image"
    ZIP = "zip"

    def parameters(self) -> dict[str, Value]:
        """Where the code is."""
        if self is Packaging.ZIP:
            return {
                "CodeBucket": {"Type": "String", "Description": "Bucket with the zip of the whole source."},
                "CodeKey": {"Type": "String", "Description": "The zip's key."},
            }
        return {
            "ImagePrefix": {
                "Type": "String",
                "AllowedPattern": "^[a-z0-9][a-z0-9._:/-]*$",
                "Description": "What precedes a capability's name in its image's: 123456789012.dkr.ecr."
                "eu-west-1.amazonaws.com/tael-",
            },
            "ImageTag": {
                "Type": "String",
                "AllowedPattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$",
                "Description": "Of all images: a version, never one that moves.",
            },
        }

    def code(self, function: Function) -> dict[str, Value]:
        """The properties of a function that say what it runs."""
        if self is Packaging.ZIP:
            return {
                "PackageType": "Zip",
                "Runtime": "python3.11",
                "Handler": function.handler,
                "Code": {"S3Bucket": ref("CodeBucket"), "S3Key": ref("CodeKey")},
            }
        return {
            "PackageType": "Image",
            "ImageConfig": {"Command": [function.handler]},
            "Code": {"ImageUri": sub(f"${{ImagePrefix}}{function.image}:${{ImageTag}}")},
        }
