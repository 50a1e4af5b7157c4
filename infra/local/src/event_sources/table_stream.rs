//! The stream of one table, as dynoxide keeps it: read in order, and let go of once it is read.

use std::collections::BTreeSet;

use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::{GetShardIteratorRequest, decode_shard_iterator};
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::errors::DynoxideError;
use dynoxide::storage::Storage;
use serde_json::{Value, json};

use super::stream::reader_name;
use crate::aws::{ACCOUNT, REGION};
use crate::saved::{Position, Positions};
use crate::template::StreamMapping;

/// A stream with its one shard.
#[derive(Clone)]
pub(super) struct TableStream {
    tables: Database,
    stored_arn: String,
    pub shard: String,
}

impl TableStream {
    /// `None` when the table, or a stream of it, is not there.
    pub fn find(tables: &Database, table: &str) -> Result<Option<TableStream>, DynoxideError> {
        let request = ListStreamsRequest { table_name: Some(table.to_owned()), ..Default::default() };
        let Some(stream) = tables.list_streams(request)?.streams.into_iter().next() else {
            return Ok(None);
        };
        let stored_arn = stream.stream_arn;
        let request = DescribeStreamRequest { stream_arn: stored_arn.clone(), ..Default::default() };
        let shards = tables.describe_stream(request)?.stream_description.shards;
        let shard = shards.into_iter().next().map(|shard| shard.shard_id);
        Ok(shard.map(|shard| TableStream { tables: tables.clone(), stored_arn, shard }))
    }

    /// With the region that the functions believe to be in.
    pub fn arn(&self) -> String {
        let table = self.stored_arn.split_once(":table/").map_or(self.stored_arn.as_str(), |(_, table)| table);
        format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}")
    }

    pub fn position(&self, sequence_number: String) -> Position {
        Position { stream: self.stored_arn.clone(), sequence_number }
    }

    /// Records as they stand in Lambda's event, oldest first. A position in another stream, one that the table had
    /// before, counts as none: reading begins at the beginning.
    pub async fn records_after(&self, position: Option<Position>, most: usize) -> Result<Vec<Value>, DynoxideError> {
        let position = position.filter(|position| position.stream == self.stored_arn);
        let request = GetShardIteratorRequest {
            stream_arn: self.stored_arn.clone(),
            shard_id: self.shard.clone(),
            shard_iterator_type: if position.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" }.to_owned(),
            sequence_number: position.map(|position| position.sequence_number),
        };
        let tables = self.tables.clone();
        let read = tokio::task::spawn_blocking(move || {
            let shard_iterator = tables.get_shard_iterator(request)?.shard_iterator.unwrap_or_default();
            tables.get_records(GetRecordsRequest { shard_iterator, limit: Some(most) })
        });
        let records = read.await.map_err(internal)??.records;
        let arn = self.arn();
        let records = records.into_iter().map(|record| {
            let created = record.dynamodb.approximate_creation_date_time as i64;
            let mut record = serde_json::to_value(record).map_err(internal)?;
            record["awsRegion"] = json!(REGION);
            record["eventSourceARN"] = json!(arn);
            record["dynamodb"]["ApproximateCreationDateTime"] = json!(created);
            Ok(record)
        });
        records.collect()
    }
}

pub(super) fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}

/// Makes the stored streams cheap to read however long they are, and lets go of what every reader has read.
pub(super) fn tidy(tables: &Database, mappings: &[StreamMapping], positions: &Positions) -> Result<(), DynoxideError> {
    let Some(path) = tables.db_path()?.filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let file = Storage::new(&path)?;
    // Without it, each write and each poll of the store looks at every record that there is.
    file.conn().execute_batch(
        "CREATE INDEX IF NOT EXISTS waybill_stream ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )?;
    let names: BTreeSet<_> = mappings.iter().map(|mapping| &mapping.table).collect();
    for table in names {
        let readers = mappings.iter().filter(|mapping| mapping.table == *table).map(reader_name);
        // A reader that has no position has everything before it.
        let read: Option<Vec<_>> = readers.map(|reader| positions.get(&reader)).collect();
        let slowest =
            read.and_then(|read| read.into_iter().min_by(|one, other| one.sequence_number.cmp(&other.sequence_number)));
        let Some(slowest) = slowest else { continue };
        let request = GetShardIteratorRequest {
            stream_arn: slowest.stream,
            shard_iterator_type: "AFTER_SEQUENCE_NUMBER".to_owned(),
            sequence_number: Some(slowest.sequence_number),
            ..Default::default()
        };
        let iterator = tables.get_shard_iterator(request)?.shard_iterator.unwrap_or_default();
        if let Some((_, _, position)) = decode_shard_iterator(&iterator) {
            let read = "DELETE FROM _stream_records WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) < ?2";
            file.conn().execute(read, (table, position))?;
        }
    }
    Ok(())
}

fn internal(error: impl std::fmt::Display) -> DynoxideError {
    DynoxideError::InternalServerError(error.to_string())
}
