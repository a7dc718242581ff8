//! Reads single columns of CSV in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

use csv_core::{ReadFieldResult, Reader};

/// The maximum number of bytes of a field that are kept: accounts are shorter, and most column names too.
const LONGEST_FIELD: usize = 512;
/// The maximum number of column names that are read.
const MOST_COLUMNS: usize = 4_096;

pub(crate) struct CsvReader<R: Read> {
    input: BufReader<R>,
    reader: Reader,
    pub(crate) field: [u8; LONGEST_FIELD],
}

pub(crate) struct Record {
    pub(crate) line: u64,
    pub(crate) field: Field,
}

pub(crate) enum Field {
    Absent,
    TooLong,
    /// The length of the field in bytes.
    Is(usize),
}

/// The end of a field.
struct Ended {
    length: Option<usize>,
    record_ends: bool,
}

impl<R: Read> CsvReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 16, input),
            reader: Reader::new(),
            field: [0; LONGEST_FIELD],
        }
    }

    /// Reads all fields of the next record, as column names.
    pub(crate) fn names(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        while let Some(ended) = self.read_field()? {
            let name = ended.length.and_then(|length| self.field.get(..length));
            let name = String::from_utf8_lossy(name.unwrap_or_default());
            if names.len() < MOST_COLUMNS {
                names.push(name.trim().trim_start_matches('\u{feff}').to_owned());
            }
            if ended.record_ends {
                break;
            }
        }
        Ok(names)
    }

    /// Reads the next record and keeps its field at the index `wanted`. Skips blank lines.
    pub(crate) fn next(&mut self, wanted: usize) -> io::Result<Option<Record>> {
        let mut kept = [0; LONGEST_FIELD];
        let mut field = Field::Absent;
        let mut place = 0_usize;
        loop {
            let Some(ended) = self.read_field()? else {
                return Ok(None);
            };
            // After a record, the reader is already on the next line.
            let line = self
                .reader
                .line()
                .saturating_sub(u64::from(ended.record_ends))
                .max(1);
            if place == wanted {
                field = ended.length.map_or(Field::TooLong, Field::Is);
                kept = self.field;
            }
            place = place.saturating_add(1);
            if ended.record_ends {
                self.field = kept;
                return Ok(Some(Record { line, field }));
            }
        }
    }

    /// Reads one field; `None` at the end of the input.
    fn read_field(&mut self) -> io::Result<Option<Ended>> {
        let mut length = 0_usize;
        let mut too_long = false;
        loop {
            let input = match self.input.fill_buf() {
                Ok(input) => input,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let output = self.field.get_mut(length..).unwrap_or_default();
            let (result, used, written) = self.reader.read_field(input, output);
            self.input.consume(used);
            length = length.saturating_add(written);
            match result {
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => {
                    too_long = true;
                    length = 0;
                }
                ReadFieldResult::Field { record_end } => {
                    return Ok(Some(Ended {
                        length: (!too_long).then_some(length),
                        record_ends: record_end,
                    }));
                }
                ReadFieldResult::End => return Ok(None),
            }
        }
    }
}
