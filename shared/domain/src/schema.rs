//! How the domain's texts stand in the API's document (OpenAPI 3.1, JSON Schema 2020-12).

use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};

/// A text of `min` to `max` characters that `pattern`, an ECMA 262 expression, describes.
pub(crate) fn text(description: &str, min: usize, max: usize, pattern: &str, example: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .min_length(Some(min))
        .max_length(Some(max))
        .pattern(Some(pattern));
    let text = if example.is_empty() { text } else { text.examples([example]) };
    text.into()
}

/// A whole number from `min` to `max`.
pub(crate) fn number(description: &str, min: i64, max: i64, example: i64) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .description(Some(description))
        .minimum(Some(min))
        .maximum(Some(max))
        .examples([example])
        .into()
}

/// Gives a type its schema, under its own name.
macro_rules! described {
    ($type:ty, $schema:expr) => {
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $schema
            }
        }

        impl utoipa::ToSchema for $type {}
    };
}

pub(crate) use described;
