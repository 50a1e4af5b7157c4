//! Categories: a tree, kept by each one naming the one above it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::CategoryId;
use crate::language::{Texts, Translations};
use crate::product::{Description, Title};
use crate::text::Slug;

/// Categories of a shop.
pub const MAX_CATEGORIES: usize = 1_000;
/// Levels of the tree; a category at the top is on the first.
pub const MAX_DEPTH: usize = 6;
/// Bytes of all categories of a shop as JSON, for the tree is read and answered whole: one query of DynamoDB's.
pub const MAX_TREE: usize = 1_000_000;
/// Places among the children of one category.
pub const MAX_POSITION: u32 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    pub id: CategoryId,
    pub slug: Slug,
    pub title: Title,
    pub description: Description,
    /// By language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Texts>)]
    pub translations: Translations,
    /// The category above; left out at the top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parent_id: Option<CategoryId>,
    /// Where it stands among its siblings; those of the same position stand by their slugs.
    pub position: u32,
    /// Grows with each change.
    pub version: u64,
}

/// Why the tree stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The shop has [`MAX_CATEGORIES`].
    TooMany,
    /// Together they would be larger than [`MAX_TREE`].
    TooLarge,
    /// There is no such category to stand below.
    UnknownParent,
    /// It would stand below itself.
    BelowItself,
    /// It, or one below it, would be deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// All categories of a shop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    by_id: BTreeMap<CategoryId, Category>,
}

impl Tree {
    pub fn of(categories: impl IntoIterator<Item = Category>) -> Self {
        Tree { by_id: categories.into_iter().map(|category| (category.id, category)).collect() }
    }

    pub fn get(&self, id: CategoryId) -> Option<&Category> {
        self.by_id.get(&id)
    }

    pub fn by_slug(&self, slug: &str) -> Option<&Category> {
        self.by_id.values().find(|category| category.slug.as_str() == slug)
    }

    /// The tree with this category in it, new or in place of what it was before.
    pub fn with(&self, category: Category) -> Result<Tree, Misplaced> {
        let mut tree = self.clone();
        tree.by_id.insert(category.id, category.clone());
        if tree.by_id.len() > MAX_CATEGORIES {
            return Err(Misplaced::TooMany);
        }
        // What makes it smaller is never refused.
        let size = tree.size();
        if size > MAX_TREE && size > self.size() {
            return Err(Misplaced::TooLarge);
        }
        if category.parent_id.is_some_and(|parent| !tree.by_id.contains_key(&parent)) {
            return Err(Misplaced::UnknownParent);
        }
        if tree.ancestors(category.id).contains(&category.id) {
            return Err(Misplaced::BelowItself);
        }
        let depth = |id: &CategoryId| tree.ancestors(*id).len() + 1;
        if tree.below(category.id).iter().any(|id| depth(id) > MAX_DEPTH) {
            return Err(Misplaced::TooDeep);
        }
        Ok(tree)
    }

    /// Bytes of all categories as JSON.
    fn size(&self) -> usize {
        let of = |category: &Category| serde_json::to_vec(category).map_or(0, |text| text.len());
        self.by_id.values().map(of).sum()
    }

    /// Those above a category, the nearest first.
    pub fn ancestors(&self, id: CategoryId) -> Vec<CategoryId> {
        let mut above = Vec::new();
        let mut at = self.get(id).and_then(|category| category.parent_id);
        while let Some(parent) = at {
            // A ring is refused before it is kept; should there be one all the same, it is walked once.
            if above.contains(&parent) {
                break;
            }
            above.push(parent);
            at = self.get(parent).and_then(|category| category.parent_id);
        }
        above
    }

    /// A category and all below it.
    pub fn below(&self, id: CategoryId) -> BTreeSet<CategoryId> {
        let mut found = BTreeSet::from([id]);
        let mut at = vec![id];
        while let Some(parent) = at.pop() {
            for child in self.by_id.values().filter(|category| category.parent_id == Some(parent)) {
                if found.insert(child.id) {
                    at.push(child.id);
                }
            }
        }
        found
    }

    pub fn has_children(&self, id: CategoryId) -> bool {
        self.by_id.values().any(|category| category.parent_id == Some(id))
    }

    /// All categories, each behind the one above it and before that one's next sibling; with the levels above each.
    pub fn in_order(&self) -> Vec<(&Category, usize)> {
        let mut children: BTreeMap<Option<CategoryId>, Vec<&Category>> = BTreeMap::new();
        for category in self.by_id.values() {
            children.entry(category.parent_id).or_default().push(category);
        }
        for siblings in children.values_mut() {
            siblings.sort_by(|one, other| (other.position, &other.slug).cmp(&(one.position, &one.slug)));
        }
        let mut ordered = Vec::with_capacity(self.by_id.len());
        let mut stack: Vec<_> = children.remove(&None).unwrap_or_default().into_iter().map(|top| (top, 0)).collect();
        while let Some((category, depth)) = stack.pop() {
            ordered.push((category, depth));
            let below = children.remove(&Some(category.id)).unwrap_or_default();
            stack.extend(below.into_iter().map(|child| (child, depth + 1)));
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> CategoryId {
        CategoryId::new(Uuid::from_u128(number))
    }

    fn category(number: u128, parent: Option<u128>, position: u32) -> Category {
        Category {
            id: id(number),
            slug: format!("c{number}").parse().unwrap(),
            title: "Tea".parse().unwrap(),
            description: "".parse().unwrap(),
            translations: Translations::new(),
            parent_id: parent.map(id),
            position,
            version: 1,
        }
    }

    fn tree() -> Tree {
        Tree::of([
            category(1, None, 2),
            category(2, None, 1),
            category(3, Some(1), 0),
            category(4, Some(1), 0),
            category(5, Some(3), 0),
        ])
    }

    #[test]
    fn categories_stand_by_position_then_slug_each_before_those_below_it() {
        let tree = tree();
        let order: Vec<_> = tree.in_order().iter().map(|(category, depth)| (category.slug.as_str(), *depth)).collect();
        assert_eq!(order, [("c2", 0), ("c1", 0), ("c3", 1), ("c5", 2), ("c4", 1)]);
    }

    #[test]
    fn what_is_below_and_above_is_found_over_all_levels() {
        let tree = tree();
        assert_eq!(tree.below(id(1)), [1, 3, 4, 5].map(id).into());
        assert_eq!(tree.below(id(2)), [id(2)].into());
        assert_eq!(tree.ancestors(id(5)), [id(3), id(1)]);
        assert!(tree.ancestors(id(1)).is_empty() && tree.has_children(id(3)) && !tree.has_children(id(5)));
        assert_eq!(tree.by_slug("c4").unwrap().id, id(4));
    }

    #[test]
    fn nothing_stands_below_itself_or_below_nothing() {
        let tree = tree();
        for (number, parent, why) in [
            (1, 1, Misplaced::BelowItself),
            (1, 5, Misplaced::BelowItself),
            (3, 5, Misplaced::BelowItself),
            (6, 9, Misplaced::UnknownParent),
        ] {
            assert_eq!(tree.with(category(number, Some(parent), 0)), Err(why), "{number} below {parent}");
        }
        let moved = tree.with(category(3, Some(2), 0)).unwrap();
        assert_eq!(moved.ancestors(id(5)), [id(3), id(2)]);
    }

    #[test]
    fn the_tree_is_as_deep_as_it_may_be_and_no_deeper_also_for_what_moves_along() {
        let mut tree = Tree::of([category(1, None, 0)]);
        for number in 2..=MAX_DEPTH as u128 {
            tree = tree.with(category(number, Some(number - 1), 0)).unwrap();
        }
        assert_eq!(tree.with(category(99, Some(MAX_DEPTH as u128), 0)), Err(Misplaced::TooDeep));
        let tree = tree.with(category(50, None, 0)).unwrap();
        assert_eq!(tree.with(category(1, Some(50), 0)), Err(Misplaced::TooDeep));
    }

    #[test]
    fn a_shop_has_a_thousand_categories_and_no_more() {
        let tree = Tree::of((0..MAX_CATEGORIES as u128).map(|number| category(number, None, 0)));
        assert_eq!(tree.with(category(5_000, None, 0)), Err(Misplaced::TooMany));
        assert!(tree.with(category(5, Some(6), 0)).is_ok());
    }

    #[test]
    fn the_texts_of_all_categories_are_a_megabyte_and_no_more() {
        const LONGEST: usize = 5_000;
        let described = |number, length| {
            let mut category = category(number, None, 0);
            category.description = "x".repeat(length).parse().unwrap();
            category
        };
        let of = |count: u128| Tree::of((0..count).map(|number| described(number, LONGEST)));
        let most = (1..).find(|most| of(*most + 1).size() > MAX_TREE).unwrap();
        let tree = of(most);
        let left = MAX_TREE - tree.size() - Tree::of([described(most, 0)]).size();
        assert_eq!(tree.with(described(most, left)).unwrap().size(), MAX_TREE);
        assert_eq!(tree.with(described(most, left + 1)), Err(Misplaced::TooLarge));
        // A shop that has more may have less.
        let larger = of(most + 2);
        assert!(larger.with(described(0, 10)).is_ok());
        assert_eq!(larger.with(described(most + 2, 10)), Err(Misplaced::TooLarge));
    }
}
