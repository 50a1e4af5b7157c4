//! The places that goods lie at: one item, for there are few.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use waybill_domain::id::LocationId;
use waybill_domain::stock::{LocationName, MAX_LOCATIONS};

use crate::keys;
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// How often a change starts again when others were faster.
const TRIES: u32 = 8;

/// Why a place was not made or renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationRefused {
    NameTaken,
    TooMany,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locations {
    pub names: BTreeMap<LocationId, LocationName>,
    version: u64,
}

impl Locations {
    /// What a shop has that has said nothing else.
    fn first() -> Result<Locations, StorageError> {
        let name =
            "Main".parse().map_err(|error| StorageError::Broken(format!("the main place has no name: {error}")))?;
        Ok(Locations { names: [(LocationId::MAIN, name)].into(), version: 0 })
    }
}

impl Table {
    pub async fn locations(&self) -> Result<Locations, StorageError> {
        match self.get(&keys::locations(), true).await? {
            Some(item) => from_item(item),
            None => Locations::first(),
        }
    }

    /// Makes a place; refused where another has its name.
    pub async fn add_location(&self, id: LocationId, name: LocationName) -> Result<(), Refused<LocationRefused>> {
        // It may be there already: a write whose reply was lost.
        self.change_locations(id, &name, |names| match names.contains_key(&id) || names.len() < MAX_LOCATIONS {
            true => Ok(()),
            false => Err(LocationRefused::TooMany),
        })
        .await
    }

    pub async fn rename_location(&self, id: LocationId, name: LocationName) -> Result<(), Refused<LocationRefused>> {
        self.change_locations(id, &name, |names| match names.contains_key(&id) {
            true => Ok(()),
            false => Err(LocationRefused::Unknown),
        })
        .await
    }

    async fn change_locations(
        &self,
        id: LocationId,
        name: &LocationName,
        check: impl Fn(&BTreeMap<LocationId, LocationName>) -> Result<(), LocationRefused>,
    ) -> Result<(), Refused<LocationRefused>> {
        for attempt in 0..TRIES {
            let Locations { mut names, version } = self.locations().await?;
            check(&names).map_err(|reason| Refused::By(vec![reason]))?;
            if names.iter().any(|(other, taken)| *other != id && taken == name) {
                return Err(Refused::By(vec![LocationRefused::NameTaken]));
            }
            names.insert(id, name.clone());
            let mut item = to_item(&Locations { names, version: version + 1 })?;
            item.extend(keys::locations().item());
            let put = match version {
                0 => Write::put(item).only_if_new(),
                seen => Write::put(item)
                    .only_if("#version = :seen")
                    .name("#version", "version")
                    .number(":seen", i64::try_from(seen).unwrap_or(i64::MAX)),
            };
            match Transaction::new().write(put, |_| Ok(())).commit(self).await {
                Ok(()) => return Ok(()),
                Err(Refused::By(_)) => back_off(attempt).await,
                Err(Refused::Failed(error)) => return Err(error.into()),
            }
        }
        Err(StorageError::Busy("the places changed again and again".into()).into())
    }
}
