//! Lines and columns for people.

/// Adds a line. What others said goes to a terminal here: it gets no control characters.
pub fn line(text: &mut String, parts: &[&str]) {
    let joined = parts.concat();
    text.extend(joined.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }));
    text.push('\n');
}

/// The columns that a text takes on a terminal: letters from Hangul on, Chinese among them, take two; signs do not.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| 1 + usize::from(c >= '\u{1100}' && !('\u{2000}'..'\u{2E80}').contains(&c))).sum()
}

/// A table under way: a line feed before each row, a tab before each cell.
pub struct Rows(String);

impl Rows {
    /// A table with these heads.
    pub fn new(head: &[&str]) -> Rows {
        let mut rows = Rows(String::new());
        rows.row(head);
        rows
    }

    /// A table without heads.
    pub fn bare() -> Rows {
        Rows(String::new())
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[&str]) {
        self.0.push('\n');
        for cell in cells {
            self.0.push('\t');
            self.0.extend(cell.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
    }

    /// Appends the rows with every column as wide as its widest cell.
    pub fn columns(&self, text: &mut String) {
        let mut widths = Vec::new();
        for pass in 0..2 {
            for row in self.0.split('\n').skip(1) {
                let mut padded = String::new();
                for (index, cell) in row.split('\t').skip(1).enumerate() {
                    if index == widths.len() {
                        widths.push(0);
                    }
                    widths[index] = width(cell).max(widths[index]);
                    padded.push_str(cell);
                    padded.extend(std::iter::repeat_n(' ', widths[index] + 2 - width(cell)));
                }
                if pass > 0 {
                    line(text, &[&padded]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut text = String::new();
        let mut rows = Rows::new(&["HOST", "STATE", ""]);
        rows.row(&["a", "up", ""]);
        rows.row(&["密密@home", "down", "why\u{1b}[31m\n"]);
        rows.columns(&mut text);
        assert_eq!(
            text,
            "HOST       STATE\n\
             a          up\n\
             密密@home  down   why [31m\n"
        );
    }
}
