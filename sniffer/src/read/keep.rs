//! `sniffer read --store`: what was read is kept as the daemon keeps what it captures: calls and all else, packets and the archive.
//!
//! A file is in no hurry: where the daemon would count a packet as dropped, this waits for the disk. Nothing that is
//! there is deleted; the daemon's bounds do that when it uses the folder next.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use sniffer_core::{
    decode::LinkType,
    engine::{CallSerial, EndedCall, FrameMeta, FrameUse, HeldFrames, StreamSerial},
    record::{OtherRecord, RecordKind},
    time::Timestamp,
};

use crate::{
    archive::{Archive, Group},
    disk::{Disk, RealDisk},
    limits,
    packets::{Gatherer, MediaKept, PacketStore, Settings},
    run::{Keep, now},
    store::{DetailOf, Encoded, Encoder, KeptOf, KeptRecord, PacketsOf, Store, StoreError},
};

/// How much of media `--media` keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Media {
    /// Nothing
    None,
    /// The headers up to RTP's own, and RTCP in full
    #[default]
    Headers,
    /// Every octet
    Full,
}

impl Media {
    fn kept(self) -> MediaKept {
        match self {
            Self::None => MediaKept::None,
            Self::Headers => MediaKept::Headers,
            Self::Full => MediaKept::Full,
        }
    }
}

/// The stores of a folder, open.
#[derive(Debug)]
pub struct Keeping {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Free bytes that are left.
    floor: u64,
    store: Store,
    packets: PacketStore,
    gatherer: Gatherer,
    writer: JoinHandle<()>,
    encoder: Encoder,
    batch: Vec<Encoded>,
    /// All else, by its kind.
    records: BTreeMap<RecordKind, (Store, Vec<KeptRecord>)>,
    /// The time of the last packet: in its hour's archive go the calls that end by it.
    time: Timestamp,
}

impl Keeping {
    /// Opens the stores in a folder, or makes them.
    ///
    /// # Errors
    /// When they cannot be used, also because a running sniffer uses them.
    pub fn open(folder: &Path, media: Media) -> Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let failed = |error: StoreError| {
            let advice = match &error {
                StoreError::Busy { .. } => "; stop the sniffer that uses it, or name another folder",
                StoreError::Folder { .. } => "; may you write there?",
                StoreError::Database { .. } | StoreError::Format { .. } => "",
            };
            anyhow::Error::new(error).context(format!("cannot keep anything in {}{advice}", folder.display()))
        };
        let store = Store::open(&disk, folder, now()).map_err(failed)?;
        let mut records = BTreeMap::new();
        for kind in RecordKind::ALL {
            let store = Store::open_records(kind, &disk, &folder.join(kind.plural()), now()).map_err(failed)?;
            records.insert(kind, (store, Vec::new()));
        }
        let floor = Keep::default().floor(disk.space(folder).context("ask how much room there is")?.total);
        // Two runs begin at different nanoseconds.
        let run = now().as_nanos().cast_unsigned();
        let (packets, queue) = PacketStore::new(Settings { run, media: media.kept(), floor, waits: true });
        let below = folder.join("packets");
        packets.open(&disk, &below).with_context(|| format!("cannot keep packets in {}", below.display()))?;
        let (of_thread, of_disk) = (packets.clone(), Arc::clone(&disk));
        let writer = Builder::new().name("packets".into()).spawn(move || of_thread.run(&of_disk, &below, &queue));
        Ok(Self {
            gatherer: packets.gatherer(),
            writer: writer.context("start the packet store's thread")?,
            folder: folder.to_owned(),
            encoder: Encoder::default(),
            batch: Vec::new(),
            records,
            time: Timestamp::default(),
            disk,
            floor,
            store,
            packets,
        })
    }

    /// Keeps a packet as what the engine took it for.
    #[inline]
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, bytes: &[u8], used: FrameUse) {
        self.time = self.time.max(meta.time);
        self.gatherer.frame(link, meta, bytes, used);
    }

    /// Keeps frames that came together.
    pub fn held(&mut self, all: &[HeldFrames]) {
        for together in all {
            self.gatherer.held(together);
        }
    }

    /// Takes note that a call has adopted a stream.
    pub fn adopted(&mut self, stream: StreamSerial, call: CallSerial) {
        self.gatherer.adopted(stream.get(), call.get(), self.time);
    }

    /// Keeps a call that has ended, as octets; none where its row is longer than any true one. They are written when
    /// there are enough of them, or by [`Keeping::finish`].
    ///
    /// # Errors
    /// When the database fails.
    pub fn ended(&mut self, call: &EndedCall) -> Result<Option<&Encoded>> {
        if self.batch.len() >= limits::STORE_BATCH {
            self.write()?;
        }
        let EndedCall { serial, record, streams, summary } = call;
        let packets = Some(PacketsOf { run: self.packets.run_number(), serial: serial.get() });
        let encoded = self.encoder.encode(&KeptOf {
            summary,
            detail: Some(DetailOf { record, streams }),
            packets,
            is_last: true,
        });
        let Some(encoded) = encoded else { return Ok(None) };
        self.batch.push(encoded);
        Ok(self.batch.last())
    }

    /// Keeps a record of what is neither a call nor of one, with its serial.
    ///
    /// # Errors
    /// When the database fails.
    pub fn record(&mut self, record: OtherRecord, serial: u64) -> Result<()> {
        let packets = Some(PacketsOf { run: self.packets.run_number(), serial });
        let Some((store, batch)) = self.records.get_mut(&record.kind()) else { return Ok(()) };
        batch.push(KeptRecord::new(record, packets, true));
        if batch.len() >= limits::STORE_BATCH {
            store.write(batch, Some(self.time)).context("keep records")?;
            batch.clear();
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.store.write(&self.batch, Some(self.time)).context("keep calls")?;
        self.batch.clear();
        Ok(())
    }

    /// Makes everything durable, and writes the archive of all hours.
    ///
    /// # Errors
    /// When something could not be kept.
    pub fn finish(mut self) -> Result<()> {
        self.write()?;
        for (store, batch) in self.records.values_mut().filter(|(_, batch)| !batch.is_empty()) {
            store.write(batch, Some(self.time)).context("keep records")?;
            batch.clear();
        }
        self.gatherer.flush();
        let is_durable = self.packets.sync();
        self.packets.stop();
        if self.writer.join().is_err() || !is_durable {
            bail!("packets may not be kept");
        }
        self.batch = Vec::new();
        let archive =
            Archive::open(Group::Calls, &self.disk, &self.folder.join("archive")).context("open the archive")?;
        while archive.write(&self.store, u64::MAX, self.floor).context("write the archive")? {}
        let others =
            Archive::open(Group::Others, &self.disk, &self.folder.join("archive")).context("open the archive")?;
        for (kind, (store, _)) in &self.records {
            while others.write_records(*kind, store, u64::MAX, self.floor).context("write the archive")? {}
            store.close();
        }
        self.store.close();
        let dropped = self.packets.dropped();
        if !dropped.is_empty() {
            let reasons: Vec<_> = dropped.iter().map(|(why, packets)| format!("{packets} ({why})")).collect();
            bail!("packets were not kept: {}", reasons.join(", "));
        }
        Ok(())
    }
}
