//! The tables: dynoxide's engine in this process, with what the template says of them.

use std::path::Path;
use std::time::Duration;

use dynoxide::actions::update_time_to_live::{TimeToLiveSpecification, UpdateTimeToLiveRequest};
use dynoxide::{Database, DynoxideError};
use serde_json::Value;

use crate::template::Table;

const FILE: &str = "dynamodb.sqlite";
/// The definitions that the file was made with.
const DEFINITIONS: &str = "tables.json";
/// How often items past their time are deleted. AWS takes up to two days.
const SWEEP: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the table {0}: {1}")]
    Engine(String, DynoxideError),
    #[error("template.yaml defines the tables otherwise than when this store was made; start once with --fresh")]
    Changed,
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    #[error("the table {0} is not defined as DynamoDB wants it: {1}")]
    Definition(String, serde_json::Error),
}

/// Opens the store's tables, and makes those that are not there yet.
pub fn open(tables: &[Table], folder: Option<&Path>) -> Result<Database, TableError> {
    let engine = |error| TableError::Engine("database".into(), error);
    let Some(folder) = folder else {
        let database = Database::memory().map_err(engine)?;
        make(&database, tables)?;
        return Ok(database);
    };
    let definitions = folder.join(DEFINITIONS);
    let failed = |error| TableError::File(definitions.display().to_string(), error);
    let wanted = Value::from_iter(tables.iter().map(|table| table.create.clone())).to_string();
    let database = Database::new(&folder.join(FILE).to_string_lossy()).map_err(engine)?;
    match std::fs::read_to_string(&definitions) {
        Ok(present) if present == wanted => {}
        Ok(_) => return Err(TableError::Changed),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make(&database, tables)?;
            std::fs::write(&definitions, wanted).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(database)
}

/// Deletes what is past its time, for ever.
pub async fn expire(database: Database) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = database.sweep_ttl() {
            eprintln!("Items past their time could not be deleted: {error}");
        }
    }
}

fn make(database: &Database, tables: &[Table]) -> Result<(), TableError> {
    for table in tables {
        let engine = |error| TableError::Engine(table.name.clone(), error);
        let request = serde_json::from_value(table.create.clone());
        let request = request.map_err(|error| TableError::Definition(table.name.clone(), error))?;
        match database.create_table(request) {
            // A start that was cut off has made it, but did not note so.
            Ok(_) | Err(DynoxideError::ResourceInUseException(_)) => {}
            Err(error) => return Err(engine(error)),
        }
        if let Some(attribute) = &table.ttl_attribute {
            let time_to_live_specification =
                TimeToLiveSpecification { attribute_name: attribute.clone(), enabled: true };
            let request = UpdateTimeToLiveRequest { table_name: table.name.clone(), time_to_live_specification };
            match database.update_time_to_live(request) {
                Ok(_) | Err(DynoxideError::ValidationException(_)) => {}
                Err(error) => return Err(engine(error)),
            }
        }
    }
    Ok(())
}
