//! Whether what fwmarkctl prints is as its JSON Schemas say: those in `schemas/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The global options that have a value.
const WITH_VALUE: [&str; 8] =
    ["-c", "--config", "--state-dir", "--run-dir", "--backend", "-o", "--output", "--color"];

/// The schemas that were needed before.
static KNOWN: Mutex<BTreeMap<String, (Schemas, SchemaIndex)>> = Mutex::new(BTreeMap::new());

/// The file of a schema: that of `real drain` is `real-drain.json`.
pub(crate) fn file(name: &str) -> PathBuf {
    let file = format!("schemas/{}.json", name.replace(' ', "-"));
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// What is wrong with a document by a schema.
///
/// # Errors
/// All of it, in sentences.
pub(crate) fn validate(name: &str, document: &Value) -> Result<(), String> {
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !known.contains_key(name) {
        let text =
            std::fs::read_to_string(file(name)).map_err(|error| format!("{name}: {error}"))?;
        let schema = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        known.insert(name.to_owned(), compile(name, schema)?);
    }
    let (schemas, index) = &known[name];
    schemas.validate(document, *index).map_err(|error| format!("{name}: {error:#}"))
}

fn compile(name: &str, schema: Value) -> Result<(Schemas, SchemaIndex), String> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let place = format!("https://fwmarkctl.invalid/{}.json", name.replace(' ', "-"));
    let failed = |error: boon::CompileError| format!("{name}: {error:#}");
    compiler.add_resource(&place, schema).map_err(failed)?;
    let index = compiler.compile(&place, &mut schemas).map_err(failed)?;
    Ok((schemas, index))
}

/// The command of a command line that asks for JSON, with its subcommand.
pub(crate) fn command(arguments: &[String]) -> Option<String> {
    let asks = arguments.iter().any(|it| it == "-ojson" || it == "--output=json")
        || arguments
            .windows(2)
            .any(|pair| matches!(pair[0].as_str(), "-o" | "--output") && pair[1] == "json");
    let mut words = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if WITH_VALUE.contains(&argument.as_str()) {
            rest.next();
        } else if !argument.starts_with('-') {
            words.push(argument.as_str());
        }
    }
    let first = *words.first().unwrap_or(&"status");
    let both = words.get(1).map(|second| format!("{first} {second}"));
    let name = both.filter(|both| file(both).exists()).unwrap_or_else(|| first.to_owned());
    asks.then_some(name)
}

/// Checks all documents that a command printed: its own, or one that stands for an error.
///
/// # Panics
/// Where one is not as its schema says.
pub(crate) fn check(arguments: &[String], printed: &str) {
    let Some(command) = command(arguments) else { return };
    for document in serde_json::Deserializer::from_str(printed).into_iter::<Value>() {
        let document = document
            .unwrap_or_else(|error| panic!("{arguments:?} printed no JSON: {error}\n{printed}"));
        let is_error = document.get("error").is_some() && document.get("event").is_none();
        let name = if is_error { "error" } else { command.as_str() };
        if let Err(wrong) = validate(name, &document) {
            panic!("{arguments:?} printed what is not of its schema: {wrong}\n{document:#}");
        }
    }
}
