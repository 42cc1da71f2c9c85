//! The book: `docs/*.md` as pages that need no network and no script, in the order of `docs/SUMMARY.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::files;
use crate::paths::Paths;
use crate::step::step;

/// From `docs/book` to the repository, where links that leave the book lead.
const SOURCES: &str = "../../";

/// A page of the book: its title and its file in `docs/`.
#[derive(Debug, PartialEq)]
struct Page {
    title: String,
    file: String,
}

impl Page {
    /// The first page is the one a server gives for the folder.
    fn address(&self, first: bool) -> String {
        if first {
            "index.html".into()
        } else {
            self.file.replace(".md", ".html")
        }
    }
}

/// Makes `docs/book`. Fails when a link points nowhere.
pub fn build(paths: &Paths) -> Result<()> {
    step("made docs/book", || {
        let book = Book::read(&paths.root)?;
        let wrong = book.broken_links();
        if !wrong.is_empty() {
            bail!("links that point nowhere:\n  {}", wrong.join("\n  "));
        }
        let out = paths.root.join("docs/book");
        files::remove_folder(&out)?;
        for (place, page) in book.pages.iter().enumerate() {
            let html = book.html(place);
            files::write(&out.join(page.address(place == 0)), html.as_bytes())?;
        }
        files::write(
            &out.join("book.css"),
            include_str!("../book/book.css").as_bytes(),
        )
    })
}

struct Book {
    root: PathBuf,
    pages: Vec<Page>,
    texts: Vec<String>,
}

impl Book {
    fn read(root: &Path) -> Result<Self> {
        let docs = root.join("docs");
        let summary = fs::read_to_string(docs.join("SUMMARY.md"))
            .context("cannot read docs/SUMMARY.md, which lists the pages")?;
        let pages = pages_of(&summary);
        let texts = pages
            .iter()
            .map(|page| {
                fs::read_to_string(docs.join(&page.file))
                    .with_context(|| format!("docs/SUMMARY.md lists {}", page.file))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            root: root.into(),
            pages,
            texts,
        })
    }

    /// Every link that names a file or a heading that is not there.
    fn broken_links(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (page, text) in self.pages.iter().zip(&self.texts) {
            for link in links(text) {
                let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
                let target = if file.is_empty() { &page.file } else { file };
                let path = self.root.join("docs").join(target);
                let found = path.exists()
                    && (heading.is_empty()
                        || fs::read_to_string(&path)
                            .is_ok_and(|text| headings(&text).contains(heading)));
                if !found {
                    wrong.push(format!("docs/{}: {link}", page.file));
                }
            }
        }
        wrong
    }

    /// One whole page.
    fn html(&self, place: usize) -> String {
        let page = &self.pages[place];
        let menu: String = (self.pages.iter().enumerate())
            .map(|(index, other)| {
                let here = if index == place {
                    " aria-current=\"page\""
                } else {
                    ""
                };
                let (address, title) = (other.address(index == 0), escaped(&other.title));
                format!("<li><a href=\"{address}\"{here}>{title}</a></li>")
            })
            .collect();
        let next = self.pages.get(place + 1).map_or(String::new(), |next| {
            format!(
                "<p class=\"next\"><a href=\"{}\">{} →</a></p>",
                next.address(false),
                escaped(&next.title)
            )
        });
        include_str!("../book/page.html")
            .replace("{title}", &escaped(&page.title))
            .replace("{menu}", &menu)
            .replace("{next}", &next)
            .replace("{body}", &self.body(&self.texts[place]))
    }

    fn body(&self, text: &str) -> String {
        let mut events: Vec<Event<'_>> = parser(text)
            .map(|event| match event {
                Event::Start(Tag::Link {
                    link_type,
                    dest_url,
                    title,
                    id,
                }) => Event::Start(Tag::Link {
                    link_type,
                    dest_url: self.address(&dest_url),
                    title,
                    id,
                }),
                other => other,
            })
            .collect();
        name_headings(&mut events);
        let mut out = String::new();
        html::push_html(&mut out, events.into_iter());
        // A wide table scrolls by itself; the page does not.
        out.replace("<table>", "<div class=\"table\" tabindex=\"0\"><table>")
            .replace("</table>", "</table></div>")
    }

    /// The address in the book of what a link in `docs/` names.
    fn address<'a>(&self, link: &str) -> CowStr<'a> {
        if is_foreign(link) || link.starts_with('#') {
            return link.to_owned().into();
        }
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let heading = if heading.is_empty() {
            String::new()
        } else {
            format!("#{heading}")
        };
        match self.pages.iter().position(|page| page.file == file) {
            Some(place) => format!("{}{heading}", self.pages[place].address(place == 0)).into(),
            None => format!("{SOURCES}{}{heading}", normal(file)).into(),
        }
    }
}

/// The list of `SUMMARY.md`, as mdBook has it: `- [Title](file.md)`.
fn pages_of(summary: &str) -> Vec<Page> {
    summary
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- [")?.split_once("]("))
        .map(|(title, rest)| Page {
            title: title.into(),
            file: rest.trim_end_matches(')').into(),
        })
        .collect()
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// The links of a text that stay in the repository.
fn links(text: &str) -> Vec<String> {
    parser(text)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.into_string())
            }
            _ => None,
        })
        .filter(|link| !is_foreign(link))
        .collect()
}

fn is_foreign(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

/// The names of a text's headings.
fn headings(text: &str) -> BTreeSet<String> {
    let mut events: Vec<Event<'_>> = parser(text).collect();
    name_headings(&mut events)
}

/// Gives every heading the name that GitHub gives it, and says which names those are.
fn name_headings(events: &mut [Event<'_>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open: Option<(usize, String)> = None;
    for index in 0..events.len() {
        match &events[index] {
            Event::Start(Tag::Heading { .. }) => open = Some((index, String::new())),
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, title)) = &mut open {
                    title.push_str(words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((start, title)) = open.take() {
                    let name = name_of(&title);
                    if let Event::Start(Tag::Heading { id, level, .. }) = &mut events[start]
                        && *level != HeadingLevel::H1
                    {
                        *id = Some(name.clone().into());
                    }
                    names.insert(name);
                }
            }
            _ => {}
        }
    }
    names
}

fn name_of(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// `../benches/README.md`, seen from `docs/`, is `benches/README.md`.
fn normal(file: &str) -> String {
    let mut parts = vec!["docs"];
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(name) => parts.extend(name.to_str()),
            _ => {}
        }
    }
    parts.join("/")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("xtask lies in the repository");
        Book::read(root).expect("all pages are there")
    }

    #[test]
    fn no_link_of_the_book_points_nowhere() {
        assert_eq!(book().broken_links(), Vec::<String>::new());
    }

    #[test]
    fn a_link_to_a_page_leads_to_it_and_any_other_to_the_sources() {
        let book = book();
        assert_eq!(
            &*book.address("start.md#in-the-browser"),
            "index.html#in-the-browser"
        );
        assert_eq!(&*book.address("privacy.md"), "privacy.html");
        assert_eq!(
            &*book.address("../benches/README.md"),
            format!("{SOURCES}benches/README.md")
        );
        assert_eq!(&*book.address("https://example.org"), "https://example.org");
    }

    #[test]
    fn a_missing_file_and_a_missing_heading_are_found() {
        let mut book = book();
        book.texts[0] = "[a](none.md) [b](faq.md#no-such) [c](faq.md#which-browsers)".into();
        let wrong = book.broken_links();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }

    #[test]
    fn pages_ask_for_nothing_from_elsewhere() {
        let book = book();
        for place in 0..book.pages.len() {
            let html = book.html(place);
            for asking in ["src=\"http", "<script", "@import", "rel=\"preconnect\""] {
                assert!(
                    !html.contains(asking),
                    "{}: {asking}",
                    book.pages[place].file
                );
            }
        }
    }
}
