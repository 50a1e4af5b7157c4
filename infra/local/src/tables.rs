//! The tables: dynoxide's engine in this process, with what the template says of them.

use std::path::Path;
use std::time::Duration;

use dynoxide::actions::update_time_to_live::{TimeToLiveSpecification, UpdateTimeToLiveRequest};
use dynoxide::storage::Storage;
use dynoxide::{Database, DynoxideError};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::template::Table;

const FILE: &str = "dynamodb.sqlite";
/// The definitions that the file was made with.
const DEFINITIONS: &str = "tables.json";
/// How often items past their time are deleted. AWS takes up to two days.
const SWEEP: Duration = Duration::from_secs(60);
/// Items past their time that are looked for together.
const TOGETHER: usize = 1000;

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
    let path = folder.join(FILE).to_string_lossy().into_owned();
    let database = Database::new(&path).map_err(engine)?;
    // SQLite's `synchronous = NORMAL`, by the engine's only way to it: what was written stands when this process ends, however
    // it does, and no write waits for the disk. A machine that loses power may lose the last of them.
    database.disable_bulk_loading().map_err(engine)?;
    match std::fs::read_to_string(&definitions) {
        Ok(present) if present == wanted => {}
        Ok(_) => return Err(TableError::Changed),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make(&database, tables)?;
            std::fs::write(&definitions, wanted).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    index_ends(&path, tables).map_err(engine)?;
    Ok(database)
}

/// Deletes what is past its time, for ever.
pub async fn expire(database: Database, tables: Vec<Table>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let (database, tables) = (database.clone(), tables.clone());
        let swept = tokio::task::spawn_blocking(move || sweep(&database, &tables));
        if let Ok(Err(error)) = swept.await {
            eprintln!("Items past their time could not be deleted: {error}");
        }
    }
}

/// The engine's own sweep looks at every item, which takes minutes where there are a million orders.
fn sweep(database: &Database, tables: &[Table]) -> Result<(), DynoxideError> {
    let Some(path) = database.db_path()?.filter(|path| !path.is_empty()) else {
        return database.sweep_ttl().map(drop);
    };
    let file = Storage::new(&path)?;
    for table in tables {
        let Some(attribute) = &table.ttl_attribute else { continue };
        let now = Timestamp::now().as_second();
        let (name, end) = (quoted(&table.name), end(attribute));
        let sql = format!("SELECT item_json FROM {name} WHERE {end} IS NOT NULL AND {end} < ?1 LIMIT {TOGETHER}");
        let mut due = file.conn().prepare(&sql)?;
        loop {
            let items = due.query_map((now,), |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            for item in &items {
                delete(database, table, attribute, item, now)?;
            }
            if items.len() < TOGETHER {
                break;
            }
        }
    }
    Ok(())
}

/// Deletes an item, unless it was renewed since it was found.
fn delete(database: &Database, table: &Table, attribute: &str, item: &str, now: i64) -> Result<(), DynoxideError> {
    let broken = |error: serde_json::Error| DynoxideError::InternalServerError(error.to_string());
    let mut key: Map<String, Value> = serde_json::from_str(item).map_err(broken)?;
    key.retain(|name, _| {
        table.create["KeySchema"].as_array().is_some_and(|keys| keys.iter().any(|key| key["AttributeName"] == **name))
    });
    let delete = json!({
        "TableName": table.name,
        "Key": key,
        "ConditionExpression": "#end < :now",
        "ExpressionAttributeNames": { "#end": attribute },
        "ExpressionAttributeValues": { ":now": { "N": now.to_string() } },
    });
    match database.delete_item(serde_json::from_value(delete).map_err(broken)?) {
        Ok(_) | Err(DynoxideError::ConditionalCheckFailedException(..)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes what is past its time found without a look at every item.
fn index_ends(path: &str, tables: &[Table]) -> Result<(), DynoxideError> {
    let file = Storage::new(path)?;
    for table in tables {
        let Some(attribute) = &table.ttl_attribute else { continue };
        let (index, name, end) = (quoted(&format!("waybill_ends {}", table.name)), quoted(&table.name), end(attribute));
        let sql = format!("CREATE INDEX IF NOT EXISTS {index} ON {name} ({end}) WHERE {end} IS NOT NULL");
        file.conn().execute_batch(&sql)?;
    }
    Ok(())
}

/// What SQLite finds the end of an item's time by.
fn end(attribute: &str) -> String {
    format!("CAST(json_extract(item_json, '$.{attribute}.N') AS INTEGER)")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdk::Folder;

    #[test]
    fn what_is_past_its_time_is_deleted_and_nothing_else() {
        let folder = Folder::new();
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
        let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let create = json!({
            "TableName": "Table",
            "AttributeDefinitions": [attribute("pk"), attribute("sk")],
            "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
            "BillingMode": "PAY_PER_REQUEST",
        });
        let tables = [Table { name: "Table".into(), create, ttl_attribute: Some("expires_at".into()) }];
        let database = open(&tables, Some(&folder)).unwrap();
        let now = Timestamp::now().as_second();
        for (name, time) in [("gone", Some(now - 60)), ("later", Some(now + 60)), ("kept", None)] {
            let mut item = json!({ "pk": { "S": name }, "sk": { "S": "it's \"it\"" } });
            if let Some(time) = time {
                item["expires_at"] = json!({ "N": time.to_string() });
            }
            let put = json!({ "TableName": "Table", "Item": item });
            database.put_item(serde_json::from_value(put).unwrap()).unwrap();
        }
        sweep(&database, &tables).unwrap();
        let scan = serde_json::from_value(json!({ "TableName": "Table" })).unwrap();
        let left = serde_json::to_string(&database.scan(scan).unwrap()).unwrap();
        let is_left = ["gone", "later", "kept"].map(|name| left.contains(&format!("\"{name}\"")));
        assert_eq!(is_left, [false, true, true], "{left}");
    }
}
