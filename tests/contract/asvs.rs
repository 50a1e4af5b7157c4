//! infra/decisions/asvs.md: the tests that it names exist.

use std::path::Path;

use waybill_local::workspace;

/// All Rust sources of a folder, as one text.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let of = |path: &Path| match path.is_dir() {
        true => sources(path),
        false if path.extension().is_some_and(|kind| kind == "rs") => text(path),
        false => String::new(),
    };
    entries.map(|entry| of(&entry.unwrap().path())).collect()
}

#[test]
fn every_test_that_is_named_for_asvs_exists() {
    let page = std::fs::read_to_string(workspace().join("infra/decisions/asvs.md")).unwrap();
    let mut named = 0;
    for name in page.split('`').skip(1).step_by(2) {
        let parts: Vec<_> = name.split("::").collect();
        let (file, function) = match parts.as_slice() {
            [part @ ("journeys" | "contract"), module] => (format!("{part}/{module}.rs"), None),
            [part @ ("journeys" | "contract"), module, function] => (format!("{part}/{module}.rs"), Some(function)),
            _ => continue,
        };
        let path = workspace().join("tests").join(&file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name}: there is no tests/{file}"));
        assert!(function.is_none_or(|function| text.contains(&format!("fn {function}"))), "there is no {name}");
        named += 1;
    }
    // Those of other crates stand as "shared/domain: `name`".
    for (before, after) in page.match_indices(": `").map(|(at, _)| (&page[..at], &page[at + 3..])) {
        let folder = before.rsplit([' ', '|']).next().unwrap_or_default();
        let name = after.split('`').next().unwrap_or_default();
        if ["shared/", "functions/", "infra/"].iter().any(|start| folder.starts_with(start)) {
            assert!(sources(&workspace().join(folder)).contains(&format!("fn {name}")), "{folder} has no test {name}");
            named += 1;
        }
    }
    assert!(named > 120, "{named}");
}
