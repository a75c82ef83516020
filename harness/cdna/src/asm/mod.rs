//! Clang's textual assembly as statements: labels resolved, comments gone, each with its line and source line.
//! Knows the assembler's directives; knows no mnemonic.

pub mod metadata;
pub mod operand;

use std::collections::HashMap;

use operand::{Argument, Modifiers, split_outside};

/// Where an instruction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line of the assembly, from 1.
    pub line: u32,
    /// File and line of the source, where the compiler gave them.
    pub source: Option<(String, u32)>,
    /// The instruction as written.
    pub text: String,
}

/// How the instruction is encoded, which its mnemonic's suffix says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Short,
    Long,
    Dpp,
    Sdwa,
}

/// One instruction as written.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    pub mnemonic: &'a str,
    pub encoding: Encoding,
    pub arguments: Vec<Argument<'a>>,
    pub modifiers: Modifiers<'a>,
    /// All that follows the mnemonic.
    pub rest: &'a str,
}

/// The body of one kernel.
pub struct Body<'a> {
    pub statements: Vec<(Statement<'a>, Location)>,
    /// Label → index of the statement that follows it.
    pub labels: HashMap<&'a str, usize>,
}

/// The target named by `.amdgcn_target`, e.g. `gfx942`.
pub fn target(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| line.contains(".amdgcn_target"))?;
    let name = line.split('"').nth(1)?.rsplit('-').next()?;
    name.split(':').next()
}

/// The statements from `name:` to the end of its function.
pub fn body<'a>(text: &'a str, name: &str) -> Option<Body<'a>> {
    let mut body = Body { statements: Vec::new(), labels: HashMap::new() };
    let mut files = HashMap::new();
    let mut source = None;
    let mut inside = false;
    for (index, raw) in text.lines().enumerate() {
        let line = uncommented(raw);
        if let Some(rest) = line.strip_prefix(".file") {
            files.extend(file_entry(rest));
        }
        if let Some(label) = line.strip_suffix(':') {
            if inside {
                body.labels.insert(label, body.statements.len());
            }
            inside |= label == name;
            if inside && label.starts_with(".Lfunc_end") {
                return Some(body);
            }
            continue;
        }
        if !inside || line.is_empty() {
            continue;
        }
        if line.starts_with(".section") || line.starts_with(".amdhsa_kernel") {
            return Some(body);
        }
        if let Some(rest) = line.strip_prefix(".loc") {
            source = source_line(rest, &files);
        }
        if !line.starts_with('.') {
            let location = Location {
                line: index as u32 + 1,
                source: source.clone(),
                text: line.split_whitespace().collect::<Vec<_>>().join(" "),
            };
            body.statements.push((Statement::parse(line), location));
        }
    }
    inside.then_some(body)
}

fn uncommented(line: &str) -> &str {
    let line = line.split(';').next().unwrap_or("");
    line.split("//").next().unwrap_or("").trim()
}

/// `.file 1 "folder" "name"` or `.file 1 "name"`.
fn file_entry(rest: &str) -> Option<(u32, String)> {
    let number = rest.split_whitespace().next()?.parse().ok()?;
    let quoted: Vec<_> = rest.split('"').skip(1).step_by(2).collect();
    Some((number, (*quoted.get(1).or(quoted.first())?).to_owned()))
}

/// `.loc 1 17 5 …`; line 0 means that the compiler knows none.
fn source_line(rest: &str, files: &HashMap<u32, String>) -> Option<(String, u32)> {
    let mut words = rest.split_whitespace();
    let file = files.get(&words.next()?.parse().ok()?)?;
    let line: u32 = words.next()?.parse().ok()?;
    (line > 0).then(|| (file.clone(), line))
}

impl<'a> Statement<'a> {
    pub fn parse(line: &'a str) -> Self {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (mnemonic, encoding) = [
            ("_e32", Encoding::Short),
            ("_e64", Encoding::Long),
            ("_dpp", Encoding::Dpp),
            ("_sdwa", Encoding::Sdwa),
        ]
        .into_iter()
        .find_map(|(suffix, encoding)| Some((word.strip_suffix(suffix)?, encoding)))
        .unwrap_or((word, Encoding::Short));
        let mut statement = Self {
            mnemonic,
            encoding,
            arguments: Vec::new(),
            modifiers: Modifiers::default(),
            rest: rest.trim(),
        };
        for part in split_outside(rest, ',') {
            statement.part(part);
        }
        statement
    }

    /// What stands between two commas: an operand, and behind the last one the modifiers.
    fn part(&mut self, part: &'a str) {
        for (index, token) in split_outside(part, ' ').enumerate() {
            let is_modifier = index > 0 || matches!(token, "sc0" | "sc1" | "nt");
            if is_modifier {
                self.modifiers.push(token);
            } else {
                self.arguments.push(Argument::parse(token));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
\t.amdgcn_target \"amdgcn-amd-amdhsa--gfx950\"
\t.file\t1 \"/src\" \"k.hip\"
k:                                      ; @k
\t.loc\t1 17 5 prologue_end
\tv_mov_b32_e32 v0, 1.0   // one
.LBB0_1:
\tbuffer_load_dwordx4 v[4:7], v1, s[12:15], 0 offen offset:16
\tbuffer_inv sc1
\ts_endpgm
.Lfunc_end0:
";

    #[test]
    fn a_body_has_lines_labels_and_sources() {
        let body = body(TEXT, "k").unwrap();
        assert_eq!(body.labels[".LBB0_1"], 1);
        assert_eq!(body.statements.len(), 4);
        let (first, location) = &body.statements[0];
        assert_eq!((first.mnemonic, first.encoding), ("v_mov_b32", Encoding::Short));
        assert_eq!((location.line, location.source.clone()), (6, Some(("k.hip".into(), 17))));
        let (load, _) = &body.statements[1];
        assert_eq!(load.arguments.len(), 4);
        assert_eq!(target(TEXT), Some("gfx950"));
    }

    #[test]
    fn a_kernel_that_is_not_there_has_no_body() {
        assert!(body(TEXT, "q").is_none());
    }
}
