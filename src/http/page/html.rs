//! HTML under way. What others said is escaped; nothing else puts text into a page.

use crate::alert::clean::is_bidi;

/// A page under way.
#[derive(Default)]
pub struct Html(String);

impl Html {
    /// Adds HTML that this program wrote.
    pub fn raw(&mut self, html: &str) -> &mut Html {
        self.0.push_str(html);
        self
    }

    /// Adds text, also within quotes. Control characters, and those that change the direction of what stands around
    /// them, become U+FFFD.
    pub fn text(&mut self, text: &str) -> &mut Html {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(' '),
                c if c.is_control() || is_bidi(c) || matches!(c, '\u{FFFE}' | '\u{FFFF}') => self.0.push('\u{FFFD}'),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: usize) -> &mut Html {
        self.0.push_str(&number.to_string());
        self
    }

    /// `<TAG>text</TAG>`, where TAG may have attributes.
    pub fn tag(&mut self, tag: &str, text: &str) -> &mut Html {
        let name = tag.split(' ').next().unwrap_or(tag);
        self.raw("<").raw(tag).raw(">").text(text).raw("</").raw(name).raw(">")
    }

    /// The page.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_said_is_html() {
        let mut html = Html::default();
        html.tag("td class=a", "<script>\"x\" & 'y'</script>\u{202e}\0\n失联").text("</td>").number(7);
        assert_eq!(
            html.into_string(),
            "<td class=a>&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;\u{FFFD}\u{FFFD} 失联</td>&lt;/td&gt;7"
        );
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            let mut html = Html::default();
            html.text(c.encode_utf8(&mut [0; 4]));
            let out = html.into_string();
            let bare = |c: char| matches!(c, '<' | '>' | '"' | '\'') || c.is_control() || is_bidi(c);
            assert!(!out.contains(bare), "{c:?} becomes {out:?}");
        }
    }
}
