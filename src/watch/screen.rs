//! Draws the view on a terminal until a key or a signal ends it.

use std::io;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::style::Stylize;
use ratatui::text::Line;
use turnout_text::thousands;

use crate::lines::lines;
use crate::termination::Termination;
use crate::view::View;
use crate::watch::Watch;

/// How often keys and signals are checked.
const POLL: Duration = Duration::from_millis(100);
/// The longest time between two drawings, because the times on the screen age.
const LONGEST_FRAME: Duration = Duration::from_secs(1);

/// Shows the proxies until a key ends it, then restores the terminal, even after a panic. A signal, or closing
/// the terminal, ends the process as usual.
///
/// # Errors
/// If there is no terminal.
pub fn show(watch: &Watch, interval: Duration, has_colours: bool) -> io::Result<()> {
    let terminal = ratatui::try_init()?;
    let ending = Termination::watch()?;
    let ended = keep_showing(terminal, watch, interval, has_colours, &ending);
    if ended.is_err() {
        // Drawing fails if the terminal is gone. Then the watching thread ends the process.
        std::thread::sleep(POLL.saturating_mul(2));
    }
    let restored = ratatui::try_restore();
    match ending.signal() {
        Some(signal) => Termination::end(signal),
        None => ended.and(restored),
    }
}

/// Returns the columns and lines of the terminal, if there is one.
#[must_use]
pub fn terminal_size() -> Option<(u16, u16)> {
    ratatui::crossterm::terminal::size().ok()
}

fn keep_showing(
    mut terminal: DefaultTerminal,
    watch: &Watch,
    interval: Duration,
    has_colours: bool,
    ending: &Termination,
) -> io::Result<()> {
    let pause = interval.clamp(POLL, LONGEST_FRAME);
    let mut scrolled = Scrolled::default();
    loop {
        let view = watch.view();
        let drawn = Instant::now();
        terminal.draw(|frame| draw(frame, &view, &mut scrolled, has_colours))?;
        loop {
            if ending.signal().is_some() {
                return Ok(());
            }
            let left = pause.saturating_sub(drawn.elapsed());
            if left.is_zero() {
                break;
            }
            if !event::poll(left.min(POLL))? {
                continue;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match meaning(key) {
                    Some(Key::End) => return Ok(()),
                    Some(Key::Scroll(by)) => {
                        scrolled.by(by);
                        terminal.draw(|frame| draw(frame, &view, &mut scrolled, has_colours))?;
                    }
                    None => {}
                },
                Event::Resize(..) => {
                    terminal.draw(|frame| draw(frame, &view, &mut scrolled, has_colours))?;
                }
                _ => {}
            }
        }
    }
}

enum Key {
    End,
    Scroll(By),
}

/// How far to scroll.
#[derive(Clone, Copy)]
pub(crate) enum By {
    LineUp,
    LineDown,
    PageUp,
    PageDown,
    Home,
    End,
}

fn meaning(key: KeyEvent) -> Option<Key> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Esc | KeyCode::Char('q' | 'Q') => Key::End,
        KeyCode::Char('c' | 'd') if is_control => Key::End,
        KeyCode::Up | KeyCode::Char('k') => Key::Scroll(By::LineUp),
        KeyCode::Down | KeyCode::Char('j') => Key::Scroll(By::LineDown),
        KeyCode::PageUp => Key::Scroll(By::PageUp),
        KeyCode::PageDown | KeyCode::Char(' ') => Key::Scroll(By::PageDown),
        KeyCode::Home => Key::Scroll(By::Home),
        KeyCode::End => Key::Scroll(By::End),
        _ => return None,
    })
}

/// The scroll position.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scrolled {
    first: usize,
    /// The lines of the last drawing.
    page: usize,
}

impl Scrolled {
    pub(crate) fn by(&mut self, by: By) {
        let page = self.page.max(1);
        self.first = match by {
            By::LineUp => self.first.saturating_sub(1),
            By::LineDown => self.first.saturating_add(1),
            By::PageUp => self.first.saturating_sub(page),
            By::PageDown => self.first.saturating_add(page),
            By::Home => 0,
            // Drawing limits it to the last page.
            By::End => usize::MAX,
        };
    }
}

pub(crate) fn draw(frame: &mut Frame<'_>, view: &View, scrolled: &mut Scrolled, has_colours: bool) {
    let area = frame.area();
    let lines = lines(view, area.width);
    // The last line shows the keys, unless there is only one line.
    let page = match area.height {
        0 | 1 => area.height,
        height => height.saturating_sub(1),
    };
    scrolled.page = page.into();
    let last_first = lines.len().saturating_sub(scrolled.page);
    scrolled.first = scrolled.first.min(last_first);
    let buffer = frame.buffer_mut();
    let shown = lines.iter().skip(scrolled.first).take(scrolled.page);
    for (row, line) in (area.y..).zip(shown) {
        buffer.set_line(
            area.x,
            row,
            &coloured(line.clone(), has_colours),
            area.width,
        );
    }
    if page < area.height {
        let footer = footer(scrolled.first, scrolled.page, lines.len());
        let row = area.y.saturating_add(page);
        buffer.set_line(area.x, row, &footer, area.width);
    }
}

fn footer(first: usize, page: usize, all: usize) -> Line<'static> {
    let mut words = "q quits".to_owned();
    if all > page {
        let shown = |number: usize| thousands(u64::try_from(number).unwrap_or_default());
        let last = first.saturating_add(page).min(all);
        let lines = [first.saturating_add(1), last, all].map(shown);
        let [first, last, all] = lines;
        words.push_str(&format!("   ↑ ↓ scroll   lines {first} to {last} of {all}"));
    }
    Line::from(words.dim())
}

/// Removes the colours if the terminal has none. Bold stays.
fn coloured(mut line: Line<'static>, has_colours: bool) -> Line<'static> {
    if !has_colours {
        for span in &mut line.spans {
            span.style.fg = None;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::tests::sample_views;
    use crate::view::RolloutView;

    fn drawn(view: &View, columns: u16, rows: u16, scrolled: &mut Scrolled) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let draw = |frame: &mut Frame<'_>| draw(frame, view, scrolled, true);
        terminal.draw(draw).unwrap();
        terminal.backend().to_string()
    }

    fn shows(view: &View, columns: u16, rows: u16, expected: &Expect) {
        expected.assert_eq(&drawn(view, columns, rows, &mut Scrolled::default()));
    }

    #[test]
    fn a_usual_terminal() {
        shows(
            &sample_views::view(),
            100,
            10,
            &expect![[r#"
                "turnout watch   13:01:40Z                                                                           "
                "http://10.0.0.7:9901   revision 2026-11-21.3   since 13:00:53Z (47 s)   up 2 h 1 min                "
                "                                                                                                    "
                "chat-users-dynamodb   split   300 requests/s                                                        "
                "  accounts  ███████████████░░░░░░░░░░░░░░░   50 %   hvc 0 of 2                                      "
                "  requests  █▌░░░░░░░░░░░░░░░░░░░░░░░░░░░░   5.0 %   5.0 % of 3,000 since 13:00:00Z                 "
                "  errors    v1 0 % of 285/s (0 % of 2,850 in total)   v2 20.0 % of 15/s (2.0 % of 150 in total)     "
                "                                                                                                    "
                "                                                                                                    "
                "q quits                                                                                             "
            "#]],
        );
    }

    #[test]
    fn a_narrow_terminal() {
        shows(
            &sample_views::view(),
            40,
            16,
            &expect![[r#"
                "turnout watch   13:01:40Z               "
                "http://10.0.0.7:9901                    "
                "  revision 2026-11-21.3                 "
                "  since 13:00:53Z (47 s)   up 2 h 1 min "
                "                                        "
                "chat-users-dynamodb   split             "
                "  300 requests/s                        "
                "  accounts  ████████░░░░░░░░   50 %     "
                "            hvc 0 of 2                  "
                "  requests  ▊░░░░░░░░░░░░░░░   5.0 %    "
                "            5.0 % of 3,000 since        "
                "            13:00:00Z                   "
                "  errors    v1 0 % of 285/s (0 % of     "
                "            2,850 in total)             "
                "            v2 20.0 % of 15/s (2.0 % of "
                "q quits   ↑ ↓ scroll   lines 1 to 15 of "
            "#]],
        );
    }

    #[test]
    fn every_problem_is_shown() {
        shows(
            &sample_views::troubled(),
            100,
            26,
            &expect![[r#"
                "turnout watch   13:01:40Z                                                                           "
                "http://10.0.0.7:9901   revision 2026-11-21.3   since 13:00:53Z (47 s)   up 2 h 1 min                "
                "  !         3 updates REJECTED since it started, 1 while watched                                    "
                "  !         restarted 1 time while watched                                                          "
                "http://10.0.0.8:9901   NO RESPONSE   cannot read it: Connection refused\u{1b}]0;title\u{7}          "
                "http://10.0.0.7:9903   revision 2026-11-21.4   since 13:00:53Z (47 s)   up 2 h 1 min                "
                "  !         it has no filter of Turnout                                                             "
                "  !         DIFFERENT REVISIONS: 2026-11-21.3 in 1 proxy, 2026-11-21.4 in 1 proxy                   "
                "last change   apply of r3 at 2026-11-21T13:00:00Z, accepted, by \u{1b}[31mann                       "
                "                                                                                                    "
                "chat-users-dynamodb   split   HALTED (split)   302 requests/s                                       "
                "  accounts  ███████████████░░░░░░░░░░░░░░░   50 %   1 proxy   hvc 0 of 2                            "
                "  accounts  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0 %   1 proxy   hvc 0 of 2                             "
                "  requests  █▌░░░░░░░░░░░░░░░░░░░░░░░░░░░░   5.0 %   4.9 % of 3,012 since 13:00:00Z                 "
                "  errors    v1 0 % of 285/s (0 % of 2,850 in total)   v2: NO CLUSTER chat-v2                        "
                "  reasons   malformed_account 12 (1.5/s)                                                            "
                "  shadow    equal 1,204   different 3                                                               "
                "                                                                                                    "
                "no rollout   8 requests since 13:00:00Z                                                             "
                "                                                                                                    "
                "                                                                                                    "
                "                                                                                                    "
                "                                                                                                    "
                "                                                                                                    "
                "                                                                                                    "
                "q quits                                                                                             "
            "#]],
        );
    }

    #[test]
    fn dark_and_shadow_rollouts_are_shown() {
        let mut view = sample_views::view();
        let rules = r#"[{ "accounts": 25 }]"#;
        view.rollouts[0].statuses = vec![(1, sample_views::status(false, "dark", rules))];
        shows(
            &view,
            100,
            9,
            &expect![[r#"
                "turnout watch   13:01:40Z                                                                           "
                "http://10.0.0.7:9901   revision 2026-11-21.3   since 13:00:53Z (47 s)   up 2 h 1 min                "
                "                                                                                                    "
                "chat-users-dynamodb   dark   300 requests/s                                                         "
                "  accounts  ▒▒▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░   25 % recorded only   hvc 0 of 2                        "
                "  requests  ▒▒░░░░░░░░░░░░░░░░░░░░░░░░░░░░   5.0 % recorded only   5.0 % of 3,000 since 13:00:00Z   "
                "  errors    v1 0 % of 285/s (0 % of 2,850 in total)   v2 20.0 % of 15/s (2.0 % of 150 in total)     "
                "                                                                                                    "
                "q quits                                                                                             "
            "#]],
        );
    }

    /// At any size, text from proxies is escaped, and nothing panics.
    #[test]
    fn any_size() {
        let mut view = sample_views::troubled();
        let mut guard = sample_views::guard(&sample_views::EVERY_REPORT);
        guard.proxies[0].admin.push_str("\u{1b}]0;title\u{7}");
        view.rollouts[0].guard = Some(guard);
        // A terminal without columns shows nothing, but the view still has lines.
        assert!(!lines(&view, 0).is_empty());
        for columns in [1, 2, 7, 12, 13, 20, 39, 80, 300] {
            for rows in [1, 2, 3, 50] {
                let drawn = drawn(&view, columns, rows, &mut Scrolled::default());
                let commands = |c: char| c.is_control() && c != '\n';
                assert!(!drawn.contains(commands), "{columns} x {rows}: {drawn:?}");
            }
        }
    }

    #[test]
    fn a_thousand_rollouts_are_scrolled() {
        let mut view = sample_views::view();
        let rollouts = (0..1_000).map(|number| RolloutView {
            name: format!("rollout-{number}"),
            ..sample_views::rollout("")
        });
        view.rollouts = rollouts.collect();
        let mut scrolled = Scrolled::default();
        let mut after = |by: By| {
            scrolled.by(by);
            drawn(&view, 80, 24, &mut scrolled)
        };
        assert!(after(By::Home).contains("rollout-0 "));
        let end = after(By::End);
        assert!(
            end.contains("rollout-999 ") && end.contains("of 7,003"),
            "{end}"
        );
        assert!(!after(By::PageUp).contains("rollout-999 "));
        assert_eq!(after(By::PageDown), end);
        assert!(after(By::LineDown) == end && after(By::LineUp) != end);
    }

    #[test]
    fn without_colours_warnings_are_bold() {
        let lines = lines(&sample_views::troubled(), 100);
        let plain = lines.into_iter().map(|line| coloured(line, false));
        let spans = plain.flat_map(|line| line.spans);
        let styles: Vec<_> = spans.map(|span| span.style).collect();
        assert!(styles.iter().all(|style| style.fg.is_none()));
        assert!(styles.iter().any(|style| !style.add_modifier.is_empty()));
    }

    #[test]
    fn keys() {
        let meaning = |code, modifiers| meaning(KeyEvent::new(code, modifiers));
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        for (code, modifiers) in [
            (KeyCode::Char('q'), none),
            (KeyCode::Esc, none),
            (KeyCode::Char('c'), control),
        ] {
            assert!(matches!(meaning(code, modifiers), Some(Key::End)));
        }
        assert!(meaning(KeyCode::Char('c'), none).is_none());
        assert!(matches!(
            meaning(KeyCode::Down, none),
            Some(Key::Scroll(By::LineDown))
        ));
    }
}
