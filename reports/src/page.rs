//! A run as one HTML page: everything in one file, nothing from a network.
//!
//! Without JavaScript it is a plain document; with it the table sorts and filters. Text from the
//! record passes [`escape`] and nothing else makes it markup.

mod comparison;
mod figures;
mod head;
mod table;

use crate::Error;
use crate::facts::{self, Facts};
use tilemark_core::summary::RunSummary;

/// The page.
pub fn render(summary: &RunSummary) -> Result<String, Error> {
    let facts = Facts::new(summary);
    let title = format!("Tilemark: {} · {}", summary.run.suite, summary.run.id);
    let style = include_str!("page/style.css");
    let script = include_str!("page/script.js");
    let sections = [
        head::header(&facts),
        comparison::section(&facts),
        table::section(&facts),
        figures::section(&facts)?,
        head::setting(summary),
        figures::samples(&facts)?,
    ];
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{}\
         <script>\n{script}</script>\n</body>\n</html>\n",
        escape(&title),
        sections.concat(),
    ))
}

/// Text as HTML, for the inside of an element or of a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in facts::without_colors(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Lets a long id break into lines where its parts end; takes text that is escaped already.
fn breakable(escaped: &str) -> String {
    escaped.replace(',', ",<wbr>").replace('/', "/<wbr>").replace('@', "<wbr>@")
}

/// A list of names and values; both are escaped here.
fn definitions(entries: &[(String, String)]) -> String {
    let entries = entries
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
    format!("<dl>\n{}</dl>\n", entries.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_no_element_and_no_attribute() {
        assert_eq!(
            escape("<b a='1' c=\"2\">&\u{7}"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}"
        );
    }
}
