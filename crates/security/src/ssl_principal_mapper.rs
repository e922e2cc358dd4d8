//! `ssl.principal.mapping.rules`: how a certificate's subject becomes a user's name.
//!
//! Not yet: what Java's regular expressions have and ours have not, look-around and back-references in patterns.

use regex::Regex;

/// The rules, tried in order. Kafka: `SslPrincipalMapper`.
#[derive(Clone, Debug)]
pub struct SslPrincipalMapper {
    rules: Vec<Rule>,
    /// For messages.
    text: String,
}

#[derive(Clone, Debug)]
enum Rule {
    /// The subject as it is.
    Default,
    Rewrite {
        pattern: Regex,
        replacement: Vec<Part>,
        case: Option<Case>,
    },
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Group(usize),
}

#[derive(Clone, Copy, Debug)]
enum Case {
    Lower,
    Upper,
}

/// Rules that cannot be parsed, or a name that none applies to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapperError {
    /// Not `DEFAULT` nor `RULE:pattern/replacement/[LU]`.
    #[error("Invalid rule: `{0}`")]
    InvalidRule(String),
    /// No rule takes the name.
    #[error("No rules apply to {name}, rules [{rules}]")]
    NoMatchingRule {
        /// The subject.
        name: String,
        /// The rules.
        rules: String,
    },
}

impl Default for SslPrincipalMapper {
    fn default() -> Self {
        Self { rules: vec![Rule::Default], text: "DEFAULT".to_owned() }
    }
}

impl SslPrincipalMapper {
    /// Parses the rules, which are separated by commas.
    pub fn parse(text: &str) -> Result<Self, MapperError> {
        let mut rest = text.trim();
        let mut rules = Vec::new();
        while !rest.is_empty() {
            let (rule, after) = parse_rule(rest)?;
            rules.push(rule);
            rest = after.trim_start();
        }
        Ok(Self { rules, text: text.to_owned() })
    }

    /// Maps a subject in the form of RFC 2253. Fails if no rule applies.
    pub fn map(&self, subject: &str) -> Result<String, MapperError> {
        self.rules
            .iter()
            .find_map(|rule| rule.apply(subject))
            .ok_or_else(|| MapperError::NoMatchingRule { name: subject.to_owned(), rules: self.text.clone() })
    }
}

impl Rule {
    fn apply(&self, subject: &str) -> Option<String> {
        let Self::Rewrite { pattern, replacement, case } = self else { return Some(subject.to_owned()) };
        let groups = pattern.captures(subject)?;
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(index) => groups.get(*index).map_or("", |group| group.as_str()).to_owned(),
        };
        let name: String = replacement.iter().map(part).collect();
        Some(match case {
            None => name,
            Some(Case::Lower) => name.to_lowercase(),
            Some(Case::Upper) => name.to_uppercase(),
        })
    }
}

/// Parses one rule and returns what follows its comma.
fn parse_rule(text: &str) -> Result<(Rule, &str), MapperError> {
    let invalid = || MapperError::InvalidRule(text.to_owned());
    if let Some(rest) = text.strip_prefix("DEFAULT") {
        return Ok((Rule::Default, next_rule(rest).ok_or_else(invalid)?));
    }
    let rest = text.strip_prefix("RULE:").ok_or_else(invalid)?;
    let (pattern, rest) = until_slash(rest).ok_or_else(invalid)?;
    let (replacement, rest) = until_slash(rest).ok_or_else(invalid)?;
    let (case, rest) = match rest.as_bytes().first() {
        Some(b'L') => (Some(Case::Lower), &rest[1..]),
        Some(b'U') => (Some(Case::Upper), &rest[1..]),
        _ => (None, rest),
    };
    let pattern = Regex::new(&format!("^(?:{pattern})$")).map_err(|_| invalid())?;
    let groups = pattern.captures_len() - 1;
    let rule = Rule::Rewrite { replacement: parse_replacement(replacement, groups), pattern, case };
    Ok((rule, next_rule(rest).ok_or_else(invalid)?))
}

fn next_rule(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(',') }
}

/// Splits at the first slash without a backslash before it.
fn until_slash(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '/' if !escaped => return Some((&text[..at], &text[at + 1..])),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

/// Reads `$1` as Java does: as many digits as make a group that exists; a group that does not exist is plain text.
fn parse_replacement(text: &str, groups: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => plain.extend(rest.next()),
            '$' => {
                let mut group = None;
                while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
                    let longer = group.unwrap_or(0) * 10 + digit as usize;
                    if longer > groups {
                        break;
                    }
                    group = Some(longer);
                    rest.next();
                }
                match group {
                    None => plain.push('$'),
                    Some(group) => {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                        parts.push(Part::Group(group));
                    }
                }
            }
            _ => plain.push(c),
        }
    }
    parts.push(Part::Text(plain));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_rewrite_as_kafkas_manual_shows() {
        let rules = "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/, RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L,\
                     RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U, DEFAULT";
        let mapper = SslPrincipalMapper::parse(rules).expect("good rules");
        let map = |subject| mapper.map(subject).expect("a rule applies");
        assert_eq!(map("CN=Duke,OU=ServiceUsers,O=Org,C=US"), "Duke");
        assert_eq!(map("CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US"), "duke@sme");
        assert_eq!(map("cn=duke,OU=JavaSoft,O=Sun Microsystems"), "DUKE");
        assert_eq!(map("OU=JavaSoft,O=Sun Microsystems,C=US"), "OU=JavaSoft,O=Sun Microsystems,C=US");
    }

    #[test]
    fn without_a_rule_that_applies_there_is_no_name() {
        let mapper = SslPrincipalMapper::parse("RULE:^CN=(.*)$/$1/").expect("a good rule");
        let error = mapper.map("OU=x").expect_err("refused");
        assert_eq!(error.to_string(), "No rules apply to OU=x, rules [RULE:^CN=(.*)$/$1/]");
    }

    #[test]
    fn malformed_rules_are_refused() {
        for bad in ["default", "RULE:^CN=(.*)$", "RULE:a/b", "RULE:(/b/", "DEFAULT DEFAULT"] {
            assert!(SslPrincipalMapper::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_that_do_not_exist_and_escapes_are_plain_text() {
        let mapper = SslPrincipalMapper::parse(r"RULE:CN=(\w+)/$11\$\/$5/").expect("a good rule");
        assert_eq!(mapper.map("CN=a").expect("applies"), "a1$/$5");
    }
}
