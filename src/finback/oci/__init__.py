"""The OCI image and distribution specifications: references, descriptors, layers."""
