//! What JSON Schemas say of types that are written as text.

/// The JSON Schema of a type that is written as text: what it is, and the pattern of it.
macro_rules! schema_of_text {
    ($type:ident, $description:literal $(, $pattern:literal)?) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": $description,
                    "type": "string",
                    $("pattern": $pattern,)?
                })
            }
        }
    };
}

pub(crate) use schema_of_text;
