//! The walker: one reader for everything that the spec lays out.
//!
//! It goes through bytes with the [tables](msgr2_tables) of a protocol and tells a [`Trace`] each field: what, where, its
//! value. It builds no value itself, so what is told costs little and what isn't costs nothing. The generated types read
//! the same bytes with code of their own; a test holds both against each other: same fields, same texts, same errors.
//!
//! This is also how the protocol is read, written down once, for who wants to read it in another language:
//!
//! - here: frames, messages, structures with their version headers, and which fields of them are there;
//! - `value`: the values themselves, from integers to lists and unions;
//! - `decide`: numbers that decide, which were read before or are told from outside;
//! - `show`: the texts of structures, for people.
//!
//! Errors name the field, the way to it, and the byte. Nesting, and with it the stack, is bounded by [`MOST_DEPTH`]; what
//! is remembered while reading are places, as many as the structures that are open ask for.

mod decide;
mod show;
mod value;

use std::borrow::Cow;
use std::fmt;

use msgr2_tables::{self as tables, Banner, Dialect, Layout, LayoutId, Operand, Piece, TextPiece, Type};

use self::show::Summary;
use super::{Error, ErrorKind, Field, Protocol, Reader, Segments, TextReader, Trace};

/// How deep structures may stand in each other.
pub const MOST_DEPTH: usize = 64;

/// What was read, in one line, if the spec has a line for it.
pub type Info<'i> = Option<&'i dyn fmt::Display>;

/// Reads bytes as a protocol's tables say.
#[derive(Debug)]
pub struct Walker<'p> {
    protocol: &'p Protocol,
    /// The numbers of the context variables, where they were told.
    variables: Cow<'p, [Option<i64>]>,
    /// Where fields stood that are asked for again: those of the innermost structure last.
    places: Vec<Option<Place>>,
    /// How many structures are open.
    depth: usize,
}

/// Where a field stood.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In this part of its layout.
    part: usize,
    /// At this byte of the view.
    at: usize,
}

/// A layout that is being read.
#[derive(Clone, Copy, Debug)]
struct Scope<'s, 'b> {
    layout: &'s Layout,
    /// The bytes of its parts.
    parts: &'s [Reader<'b>],
    /// Its first place in [`Walker::places`].
    base: usize,
    /// The version in its header.
    struct_v: u8,
    /// The length of the value that is read for an item of a list, as the item says.
    length: Option<u64>,
}

/// A structure whose fields are about to be read, or have been.
struct Opened<'b> {
    /// Its bytes behind the header, and if nothing says where it ends, those behind it.
    bytes: Reader<'b>,
    base: usize,
    struct_v: u8,
}

impl<'p> Walker<'p> {
    /// One that was told these numbers of the context variables, in the order that the protocol was made for.
    pub fn new(protocol: &'p Protocol, variables: &'p [Option<i64>]) -> Self {
        Walker { protocol, variables: Cow::Borrowed(variables), places: Vec::new(), depth: 0 }
    }

    /// One that forgets what it has read, to look at something again.
    fn silent(&self) -> Walker<'p> {
        Walker { protocol: self.protocol, variables: self.variables.clone(), places: Vec::new(), depth: self.depth }
    }

    /// Nothing is open, whatever an error left open.
    fn begin(&mut self) {
        self.places.clear();
        self.depth = 0;
    }

    /// Reads the fields of a structure.
    pub fn structure<T: Trace>(&mut self, r: &mut Reader<'_>, id: LayoutId, t: &mut T) -> Result<(), Error> {
        self.begin();
        self.read(r, id, t)
    }

    /// Reads a structure in a field.
    pub fn structure_in<T: Trace>(
        &mut self,
        r: &mut Reader<'_>,
        field: Field,
        id: LayoutId,
        t: &mut T,
    ) -> Result<(), Error> {
        self.begin();
        self.composite(r, field, id, t)
    }

    /// Reads a dialect's banner. `tell` is called with it in one line once it has been read.
    pub fn banner<T: Trace, R>(
        &mut self,
        r: &mut Reader<'_>,
        dialect: &Dialect,
        t: &mut T,
        tell: impl FnOnce(Info<'_>) -> R,
    ) -> Result<R, Error> {
        self.begin();
        let Some(Banner { around, layout: id, info }) = &dialect.banner else { return Ok(tell(None)) };
        let field = self.protocol.field(*around);
        t.open(field, r.offset());
        let opened = self.opened(r, *id, t).map_err(|e| e.within(field))?;
        let parts = [opened.bytes];
        let scope = self.scope(self.protocol.layout(*id), &parts, opened.base, opened.struct_v);
        self.close(r.offset(), scope, t);
        Ok(self.tell(info.as_deref(), scope, tell))
    }

    /// Reads the payload of a frame with this tag. `tell` is called with it in one line once it has been read.
    pub fn frame<T: Trace, R>(
        &mut self,
        dialect: &Dialect,
        tag: u8,
        segments: &Segments<'_>,
        t: &mut T,
        tell: impl FnOnce(Info<'_>) -> R,
    ) -> Result<R, Error> {
        self.begin();
        let Some(layout) = self.frame_layout(dialect, tag) else {
            segments.opaque(t, self.protocol.field(self.protocol.tables.common.unknown));
            return Ok(tell(None));
        };
        t.open(self.protocol.field(layout.around.unwrap_or_default()), segments.start());
        let pieces = layout.summary.as_deref();
        if layout.segmented {
            let parts: [_; 4] = std::array::from_fn(|index| segments.reader(index));
            let scope = self.scope(layout, &parts, 0, 0);
            self.places.resize(layout.places, None);
            for (index, part) in layout.parts.iter().enumerate() {
                let r = &mut segments.reader(index);
                self.part(r, scope, index, t)?;
                r.end().map_err(|e| e.within(self.protocol.field(layout.fields[part.first].node.field)))?;
            }
            segments.end_after(layout.parts.len())?;
            t.close(segments.end(), None);
            Ok(self.tell(pieces, scope, tell))
        } else {
            let r = &mut segments.reader(0);
            let opened = self.open_layout(r, layout, t)?;
            r.end()?;
            segments.end_after(1)?;
            t.close(r.offset(), None);
            let parts = [opened.bytes];
            Ok(self.tell(pieces, self.scope(layout, &parts, opened.base, opened.struct_v), tell))
        }
    }

    fn frame_layout(&self, dialect: &Dialect, tag: u8) -> Option<&'p Layout> {
        let at = dialect.frames.binary_search_by_key(&tag, |(number, _)| *number).ok()?;
        Some(self.protocol.layout(dialect.frames[at].1))
    }

    /// Reads a frame that brings a message: its fields in front of those that are bytes, and in their place the body, whose
    /// parts are segments 1 to 3 of `parts`.
    pub fn message_frame<T: Trace>(
        &mut self,
        dialect: &Dialect,
        tag: u8,
        segments: &Segments<'_>,
        (message_type, version, parts): (u16, u16, &Segments<'_>),
        t: &mut T,
    ) -> Result<(), Error> {
        self.begin();
        let Some(layout) = self.frame_layout(dialect, tag) else { return Ok(()) };
        t.open(self.protocol.field(layout.around.unwrap_or_default()), segments.start());
        let starts: [_; 4] = std::array::from_fn(|index| segments.reader(index));
        let scope = self.scope(layout, &starts, 0, 0);
        self.places.resize(layout.places, None);
        let r = &mut segments.reader(0);
        let bytes = |field: &&tables::Field| matches!(field.node.ty, Type::Blob(_) | Type::Sized | Type::Rest);
        for field in layout.fields.iter().take_while(|field| !bytes(field)) {
            self.remember(0, field, 0, r);
            self.field(r, scope, field, t)?;
        }
        self.message(message_type, version, parts, t, |_| ()).unwrap_or(Ok(()))?;
        t.close(segments.end(), None);
        Ok(())
    }

    /// Reads the body of a message of this type, in the version that its header says, from the segments of its frame, of
    /// which the first, the header, is not looked at. Nothing, if the spec doesn't lay it out. `tell` is called with it in one
    /// line once it has been read.
    pub fn message<T: Trace, R>(
        &mut self,
        message_type: u16,
        version: u16,
        segments: &Segments<'_>,
        t: &mut T,
        tell: impl FnOnce(Info<'_>) -> R,
    ) -> Option<Result<R, Error>> {
        let messages = &self.protocol.tables.messages;
        let at = messages.binary_search_by_key(&message_type, |(number, _)| *number).ok()?;
        let layout = self.protocol.layout(messages[at].1);
        let mut variables = self.variables.to_vec();
        if let Some(Operand::Variable(at)) = layout.version
            && let Some(variable) = self.protocol.variable(at).and_then(|at| variables.get_mut(at))
        {
            *variable = Some(version.into());
        }
        Some(Walker::new(self.protocol, &variables).body(layout, segments, t, tell))
    }

    fn body<T: Trace, R>(
        &mut self,
        layout: &Layout,
        segments: &Segments<'_>,
        t: &mut T,
        tell: impl FnOnce(Info<'_>) -> R,
    ) -> Result<R, Error> {
        let parts: [_; 3] = std::array::from_fn(|index| segments.reader(1 + index));
        let start = parts[0].offset();
        t.open(self.protocol.field(layout.around.unwrap_or_default()), start);
        let scope = self.scope(layout, &parts, 0, 0);
        self.places.resize(layout.places, None);
        for (index, bytes) in parts.iter().enumerate() {
            self.part(&mut bytes.clone(), scope, index, t)?;
        }
        self.close(segments.end().max(start), scope, t);
        Ok(self.tell(layout.summary.as_deref(), scope, tell))
    }

    /// What has been read, in one line.
    fn tell<R>(&self, pieces: Option<&[Piece]>, scope: Scope<'_, '_>, tell: impl FnOnce(Info<'_>) -> R) -> R {
        match pieces {
            Some(pieces) => tell(Some(&Summary { walker: self, scope, pieces })),
            None => tell(None),
        }
    }

    fn scope<'s, 'b>(&self, layout: &'s Layout, parts: &'s [Reader<'b>], base: usize, struct_v: u8) -> Scope<'s, 'b> {
        Scope { layout, parts, base, struct_v, length: None }
    }

    /// A structure in a field.
    fn composite<T: Trace>(&mut self, r: &mut Reader<'_>, field: Field, id: LayoutId, t: &mut T) -> Result<(), Error> {
        t.open(field, r.offset());
        let opened = self.opened(r, id, t).map_err(|e| e.within(field))?;
        let parts = [opened.bytes];
        let scope = self.scope(self.protocol.layout(id), &parts, opened.base, opened.struct_v);
        self.close(r.offset(), scope, t);
        self.places.truncate(opened.base);
        Ok(())
    }

    /// Ends what is open, with its text if it has one.
    fn close<T: Trace>(&self, end: usize, scope: Scope<'_, '_>, t: &mut T) {
        match &scope.layout.summary {
            Some(pieces) => t.close(end, Some(&Summary { walker: self, scope, pieces })),
            None => t.close(end, None),
        }
    }

    /// The fields of a structure, without one around them.
    fn read<T: Trace>(&mut self, r: &mut Reader<'_>, id: LayoutId, t: &mut T) -> Result<(), Error> {
        let opened = self.opened(r, id, t)?;
        self.places.truncate(opened.base);
        Ok(())
    }

    /// The same; the places of its fields are kept, until who called has no use for them any more.
    fn opened<'b, T: Trace>(&mut self, r: &mut Reader<'b>, id: LayoutId, t: &mut T) -> Result<Opened<'b>, Error> {
        self.open_layout(r, self.protocol.layout(id), t)
    }

    fn open_layout<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        layout: &Layout,
        t: &mut T,
    ) -> Result<Opened<'b>, Error> {
        if self.depth == MOST_DEPTH {
            return Err(Error::new(ErrorKind::TooDeep { limit: MOST_DEPTH }, r.offset()));
        }
        self.depth += 1;
        let base = self.places.len();
        self.places.resize(base + layout.places, None);
        let mut struct_v = 0;
        let mut part = None;
        if layout.header.is_some() {
            (struct_v, part) = self.header(r, layout, t)?;
        }
        // what a length ends is read from a part of its own
        let own = part.as_mut().unwrap_or(&mut *r);
        let bytes = [own.clone()];
        match &layout.text {
            Some(_) => self.text(own, layout, base, t)?,
            None => self.part(own, self.scope(layout, &bytes, base, struct_v), 0, t)?,
        }
        if let Some(part) = &part {
            // the items of its lists count for what is around it
            r.join(part);
        }
        self.depth -= 1;
        let [bytes] = bytes;
        Ok(Opened { bytes, base, struct_v })
    }

    /// The version header: the version, and the bytes of the structure if it says how many there are.
    fn header<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        layout: &Layout,
        t: &mut T,
    ) -> Result<(u8, Option<Reader<'b>>), Error> {
        let Some(header) = &layout.header else { return Ok((0, None)) };
        let common = &self.protocol.tables.common;
        let field = |id| self.protocol.field(id);
        if let Some(marker) = &header.marker {
            r.constant::<u8, T>(t, field(common.marker), marker)?;
        }
        let struct_v: u8 = r.scalar(t, field(common.struct_v))?;
        let Some(known) = header.known else { return Ok((struct_v, None)) };
        let at = r.offset();
        let compat: u8 = r.scalar(t, field(common.struct_compat))?;
        if compat > known {
            let kind = ErrorKind::Incompatible { compat, known };
            return Err(Error::new(kind, at).within(field(common.struct_compat)));
        }
        let length: u32 = r.scalar(t, field(common.struct_len))?;
        let part = r.part(length as usize).map_err(|e| e.within(field(common.struct_len)))?;
        Ok((struct_v, Some(part)))
    }

    /// The fields of a part that are there, and what a newer sender appended.
    fn part<'b, T: Trace>(
        &mut self,
        r: &mut Reader<'b>,
        scope: Scope<'_, 'b>,
        index: usize,
        t: &mut T,
    ) -> Result<(), Error> {
        let part = &scope.layout.parts[index];
        for field in &scope.layout.fields[part.first..part.end] {
            if !self.is_there(r, scope, field) {
                continue;
            }
            self.remember(scope.base, field, index, r);
            self.field(r, scope, field, t)?;
        }
        if let Some(extra) = part.extra {
            r.extra(t, self.protocol.field(extra));
        }
        Ok(())
    }

    fn remember(&mut self, base: usize, field: &tables::Field, part: usize, r: &Reader<'_>) {
        if let Some(place) = field.place {
            self.places[base + place] = Some(Place { part, at: r.offset() });
        }
    }

    /// A structure that is text.
    fn text<T: Trace>(&mut self, r: &mut Reader<'_>, layout: &Layout, base: usize, t: &mut T) -> Result<(), Error> {
        let Some(text) = &layout.text else { return Ok(()) };
        let start = r.clone();
        let mut at = r.offset();
        let mut reader = TextReader::new(r, text.max);
        for (piece, field) in &text.pieces {
            let id = self.protocol.field(*field);
            match piece {
                TextPiece::Words(words) => reader.words(id, words)?,
                TextPiece::Number(number) => {
                    let field = &layout.fields[*number];
                    self.remember(base, field, 0, &start.seek(at));
                    value::digits(&mut reader, id, &field.node.ty, t)?;
                }
            }
            at = reader.offset();
        }
        Ok(())
    }
}
