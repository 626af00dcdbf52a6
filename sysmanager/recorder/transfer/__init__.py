"""Material copy between recorders (SPEC 9): what a source serves, what a target fetches. The exchange is in protocol/MATERIAL.md."""
