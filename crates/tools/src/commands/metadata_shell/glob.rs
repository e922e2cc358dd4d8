//! Paths with `*`, `?` and `{a,b}` in them, and the nodes that they mean. Kafka: `GlobComponent`, `GlobVisitor`.

use regex::Regex;

use super::node::{Children, Node};

/// A node that a path means.
pub(super) struct Found<'n, 'a> {
    /// The names on the way to it from the root.
    pub(super) path: Vec<String>,
    /// The node.
    pub(super) node: &'n Node<'a>,
}

impl Found<'_, '_> {
    /// The node's name; that of the root is `/`.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("/", String::as_str)
    }

    /// The path from the root.
    pub(super) fn absolute(&self) -> String {
        format!("/{}", self.path.join("/"))
    }
}

/// Shows each node that `path`, from the directory `working`, means; whether there are any.
pub(super) fn visit<'a, E>(
    root: &Node<'a>,
    working: &str,
    path: &str,
    show: &mut dyn FnMut(Found<'_, 'a>) -> Result<(), E>,
) -> Result<bool, E> {
    let full = if path.starts_with('/') { path.to_owned() } else { format!("{working}/{path}") };
    descend(&components(&full), root, &[], show)
}

/// The names in a path, without `.` and `..`.
fn components(path: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
        match name {
            ".." => drop(names.pop()),
            name => names.push(name.to_owned()),
        }
    }
    names
}

fn descend<'a, E>(
    rest: &[String],
    node: &Node<'a>,
    path: &[String],
    show: &mut dyn FnMut(Found<'_, 'a>) -> Result<(), E>,
) -> Result<bool, E> {
    let Some((first, rest)) = rest.split_first() else {
        show(Found { path: path.to_vec(), node })?;
        return Ok(true);
    };
    let Some(children) = node.children() else { return Ok(false) };
    let mut any = false;
    for (name, child) in matching(&children, first) {
        let path = [path, std::slice::from_ref(name)].concat();
        any |= descend(rest, child, &path, show)?;
    }
    Ok(any)
}

fn matching<'c, 'a>(children: &'c Children<'a>, component: &str) -> Vec<(&'c String, &'c Node<'a>)> {
    match pattern(component) {
        None => children.get_key_value(component).into_iter().collect(),
        Some(pattern) => children.iter().filter(|(name, _)| pattern.is_match(name)).collect(),
    }
}

/// The pattern of a component; `None` of one that is a plain name, or no good pattern.
fn pattern(component: &str) -> Option<Regex> {
    let mut text = String::from("^");
    let (mut plain, mut in_group) = (true, false);
    let mut chars = component.chars();
    while let Some(c) = chars.next() {
        let special = match c {
            '?' => ".",
            '*' => ".*",
            '{' if in_group => return None,
            '{' => "(?:(?:",
            ',' if in_group => ")|(?:",
            '}' if in_group => "))",
            '\\' => {
                text.push_str(&regex::escape(&chars.next().unwrap_or(c).to_string()));
                continue;
            }
            _ => {
                text.push_str(&regex::escape(&c.to_string()));
                continue;
            }
        };
        in_group = (in_group && c != '}') || c == '{';
        plain = false;
        text.push_str(special);
    }
    if plain || in_group { None } else { Regex::new(&(text + "$")).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Vec<String> {
        let leaves = |names: &[&str]| -> Children<'static> {
            names.iter().map(|name| ((*name).to_owned(), Node::file("x"))).collect()
        };
        let root = Node::directory(move || {
            let folder = |names: &'static [&'static str]| Node::directory(move || leaves(names));
            Children::from([
                ("ab".to_owned(), folder(&["one", "two"])),
                ("ac".to_owned(), folder(&["two", "x.y"])),
            ])
        });
        let mut found = Vec::new();
        let _: Result<bool, ()> = visit(&root, "/ab", path, &mut |node| {
            found.push(node.absolute());
            Ok(())
        });
        found
    }

    #[test]
    fn paths_mean_what_they_mean_in_kafkas_shell() {
        for (path, expected) in [
            ("/", &["/"][..]),
            ("one", &["/ab/one"]),
            ("../ac/./two", &["/ac/two"]),
            ("/a?/two", &["/ab/two", "/ac/two"]),
            ("/*/*", &["/ab/one", "/ab/two", "/ac/two", "/ac/x.y"]),
            ("/ac/{two,x*}", &["/ac/two", "/ac/x.y"]),
            ("/ac/x?y", &["/ac/x.y"]),
            ("/none", &[]),
            ("/ab/one/two", &[]),
        ] {
            assert_eq!(found(path), expected, "{path}");
        }
    }
}
