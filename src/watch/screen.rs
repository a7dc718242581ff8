//! The view on a whole terminal, redrawn as long as somebody looks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::style::Stylize;
use ratatui::text::Line;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::draw::lines;
use crate::share::thousands;
use crate::view::View;
use crate::watch::Watch;

/// How long a key, or the end of the command, waits at most.
const POLL: Duration = Duration::from_millis(100);
/// What is shown ages even if nothing is new.
const LONGEST_FRAME: Duration = Duration::from_secs(1);

/// Shows the proxies until a key or a signal ends it. The terminal is then as it was, also after a
/// panic.
///
/// # Errors
/// When the terminal is none, or is gone.
pub fn show(watch: &Watch, interval: Duration, has_colours: bool) -> io::Result<()> {
    let is_told_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_told_to_end))?;
    }
    let terminal = ratatui::try_init()?;
    let ended = keep_showing(terminal, watch, interval, has_colours, &is_told_to_end);
    ratatui::try_restore()?;
    ended
}

/// How many columns and lines the terminal has, if it is one.
#[must_use]
pub fn terminal_size() -> Option<(u16, u16)> {
    ratatui::crossterm::terminal::size().ok()
}

fn keep_showing(
    mut terminal: DefaultTerminal,
    watch: &Watch,
    interval: Duration,
    has_colours: bool,
    is_told_to_end: &AtomicBool,
) -> io::Result<()> {
    let pause = interval.clamp(POLL, LONGEST_FRAME);
    let mut scrolled = Scrolled::default();
    loop {
        let view = watch.view();
        let drawn = Instant::now();
        terminal.draw(|frame| draw(frame, &view, &mut scrolled, has_colours))?;
        loop {
            if is_told_to_end.load(Ordering::SeqCst) {
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

/// The first line that is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scrolled {
    first: usize,
    /// Of the last drawing.
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
            // The drawing brings it back to what there is.
            By::End => usize::MAX,
        };
    }
}

pub(crate) fn draw(frame: &mut Frame<'_>, view: &View, scrolled: &mut Scrolled, has_colours: bool) {
    let area = frame.area();
    let lines = lines(view, area.width);
    // The last line says how to go on; a terminal of one line shows the view.
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
    let mut words = "q ends".to_owned();
    if all > page {
        let shown = |number: usize| thousands(u64::try_from(number).unwrap_or_default());
        let last = first.saturating_add(page).min(all);
        let lines = [first.saturating_add(1), last, all].map(shown);
        let [first, last, all] = lines;
        words.push_str(&format!("   ↑ ↓ scroll   lines {first} to {last} of {all}"));
    }
    Line::from(words.dim())
}

/// Bold stays without colours.
fn coloured(mut line: Line<'static>, has_colours: bool) -> Line<'static> {
    if !has_colours {
        for span in &mut line.spans {
            span.style.fg = None;
        }
    }
    line
}
