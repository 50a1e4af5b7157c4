"""How Schemathesis writes the bodies of an import: any text will do."""

import schemathesis

schemathesis.serializer.alias(["text/csv", "application/x-ndjson"], "text/plain")
