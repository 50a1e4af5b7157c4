//! The tree of categories: read whole, changed one category at a time, on the tree as it was read.

use waybill_domain::category::{Category, Misplaced, Tree};
use waybill_domain::id::CategoryId;

use crate::keys;
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// How often a change starts again when others were faster.
const CHANGES: u32 = 8;

/// Why a category stayed as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CategoryRefused {
    SlugTaken,
    Misplaced(Misplaced),
    Unknown,
    /// It is not of the version that the change was meant for.
    Changed,
    /// Categories stand below it.
    HasChildren,
    /// Products stand in it.
    HasProducts,
}

enum NotWritten {
    SlugTaken,
    /// Somebody else changed the tree, or the category, in between.
    Overtaken,
}

impl Table {
    /// All categories, in one query: half a read unit for each 4 KB, twice that when `consistent`.
    pub async fn categories(&self, consistent: bool) -> Result<Tree, StorageError> {
        let (tree, _) = self.category_tree(consistent).await?;
        Ok(tree)
    }

    /// The tree, and how often it has changed.
    async fn category_tree(&self, consistent: bool) -> Result<(Tree, u64), StorageError> {
        let mut changes = 0;
        let mut categories: Vec<Category> = Vec::new();
        for item in self.partition(keys::CATEGORIES, consistent).await? {
            if keys::of(&item) == Some(keys::category_tree()) {
                changes = item.get("changes").and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default();
            } else {
                categories.push(from_item(item)?);
            }
        }
        Ok((Tree::of(categories), changes))
    }

    pub async fn create_category(&self, category: &Category) -> Result<(), Refused<CategoryRefused>> {
        self.change_tree(category.id, |_| Ok(category.clone())).await.map(drop)
    }

    /// Changes a category that is of this version; None of it is any.
    pub async fn change_category(
        &self,
        id: CategoryId,
        version: u64,
        change: impl Fn(Category) -> Category,
    ) -> Result<Category, Refused<CategoryRefused>> {
        let changed = |present: Option<&Category>| match present {
            None => Err(CategoryRefused::Unknown),
            Some(present) if present.version != version => Err(CategoryRefused::Changed),
            Some(present) => Ok(Category { version: version + 1, ..change(present.clone()) }),
        };
        self.change_tree(id, changed).await
    }

    async fn change_tree(
        &self,
        id: CategoryId,
        change: impl Fn(Option<&Category>) -> Result<Category, CategoryRefused>,
    ) -> Result<Category, Refused<CategoryRefused>> {
        let refused = |reason| Refused::By(vec![reason]);
        for attempt in 0..CHANGES {
            let (tree, changes) = self.category_tree(true).await?;
            let before = tree.get(id);
            let after = change(before).map_err(refused)?;
            tree.with(after.clone()).map_err(|misplaced| refused(CategoryRefused::Misplaced(misplaced)))?;
            let mut item = to_item(&after)?;
            item.extend(keys::category(id).item());
            let put = match before {
                None => Write::put(item).only_if_new(),
                Some(before) => Write::put(item)
                    .only_if("#version = :before")
                    .name("#version", "version")
                    .number(":before", i64::try_from(before.version).unwrap_or(i64::MAX)),
            };
            let mut transaction = Transaction::new();
            if before.is_none_or(|before| before.slug != after.slug) {
                let slug = Write::put(keys::category_slug(&after.slug).item()).only_if_new();
                transaction = transaction.write(slug, |_| Ok(NotWritten::SlugTaken));
            }
            transaction = transaction.write(put, |_| Ok(NotWritten::Overtaken)).write(counted(changes), overtaken);
            if let Some(before) = before.filter(|before| before.slug != after.slug) {
                transaction = transaction.write(Write::delete(&keys::category_slug(&before.slug)), overtaken);
            }
            match transaction.commit(self).await {
                Ok(()) => return Ok(after),
                Err(reasons) => match reasons.first()? {
                    NotWritten::SlugTaken => return Err(refused(CategoryRefused::SlugTaken)),
                    NotWritten::Overtaken => back_off(attempt).await,
                },
            }
        }
        Err(StorageError::Busy("the categories changed again and again".into()).into())
    }

    /// Deletes a category that nothing stands in or below. A product that is put into it at the very same moment keeps
    /// its id, which then means nothing.
    pub async fn delete_category(&self, id: CategoryId) -> Result<(), Refused<CategoryRefused>> {
        let refused = |reason| Refused::By(vec![reason]);
        for attempt in 0..CHANGES {
            let (tree, changes) = self.category_tree(true).await?;
            let category = tree.get(id).ok_or_else(|| refused(CategoryRefused::Unknown))?;
            if tree.has_children(id) {
                return Err(refused(CategoryRefused::HasChildren));
            }
            if self.has_products(id).await? {
                return Err(refused(CategoryRefused::HasProducts));
            }
            let deleted = Transaction::new()
                .write(Write::delete(&keys::category(id)), overtaken)
                .write(Write::delete(&keys::category_slug(&category.slug)), overtaken)
                .write(counted(changes), overtaken)
                .commit(self);
            match deleted.await {
                Ok(()) => return Ok(()),
                Err(Refused::By(_)) => back_off(attempt).await,
                Err(Refused::Failed(error)) => return Err(error.into()),
            }
        }
        Err(StorageError::Busy("the categories changed again and again".into()).into())
    }
}

fn overtaken(_: keys::Item) -> Result<NotWritten, StorageError> {
    Ok(NotWritten::Overtaken)
}

/// One change more of the tree, which must not have changed since it was read.
fn counted(changes: u64) -> Write {
    let seen = i64::try_from(changes).unwrap_or(i64::MAX);
    Write::update(&keys::category_tree(), "SET #changes = :next")
        .only_if("attribute_not_exists(pk) OR #changes = :seen")
        .name("#changes", "changes")
        .number(":seen", seen)
        .number(":next", seen.saturating_add(1))
}
