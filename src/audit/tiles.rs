//! The tree as files (C2SP tlog-tiles): 256 hashes in a tile, 256 leaves in a bundle. Any client of such logs
//! can read them from a directory or a web server.

use super::tree::{Frontier, Hash, NodeId};

/// Hashes of a full tile and leaves of a full bundle.
pub const WIDTH: u64 = 256;
/// Levels of the tree between two levels of tiles.
const HEIGHT: u8 = 8;

/// A tile of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// 0 for leaf hashes; a hash of level `n` covers 256^`n` leaves.
    pub level: u8,
    /// Its number in its level.
    pub index: u64,
    /// How many hashes it has, 1 to 256.
    pub width: u64,
}

impl Tile {
    /// Its file's name.
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, place(self.index, self.width))
    }

    /// The tree's nodes whose hashes it has, in their order.
    pub fn nodes(self) -> impl Iterator<Item = NodeId> {
        let level = self.level.saturating_mul(HEIGHT);
        (0..self.width).map(move |at| NodeId { level, index: self.index * WIDTH + at })
    }
}

/// The file's name of the bundle with leaves from `index` · 256 on, of which there are `width`.
pub fn entries_path(index: u64, width: u64) -> String {
    format!("tile/entries/{}", place(index, width))
}

/// Every tile of the tree of `size` leaves.
pub fn tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..8u8).flat_map(move |level| {
        let hashes = size >> (u32::from(level) * u32::from(HEIGHT));
        (0..hashes.div_ceil(WIDTH)).map(move |index| Tile {
            level,
            index,
            width: (hashes - index * WIDTH).min(WIDTH),
        })
    })
}

/// The number of a tile as directories of three digits, and its width when it is not full.
fn place(index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH { format!("{path}.p/{width}") } else { path }
}

/// The hashes of a tile's content; `None` when its length is not a multiple of theirs.
pub fn hashes(content: &[u8]) -> Option<&[Hash]> {
    let (hashes, rest) = content.as_chunks::<32>();
    rest.is_empty().then_some(hashes)
}

/// The leaves of a bundle's content; `None` when it ends within one.
pub fn leaves(content: &[u8]) -> Option<Vec<&[u8]>> {
    let mut leaves = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (leaf, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        leaves.push(leaf);
        rest = after;
    }
    Some(leaves)
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the directory.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Makes the files of a tree from its leaves, in memory one tile for each level.
#[derive(Debug, Default)]
pub struct Builder {
    frontier: Frontier,
    bundle: Vec<u8>,
    /// The hashes of the tile that is being filled, for each level of tiles.
    open: Vec<Vec<u8>>,
}

impl Builder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of the leaves so far.
    pub fn tree(&self) -> &Frontier {
        &self.frontier
    }

    /// Adds a leaf, with its hash; gives the files that are full by it. A leaf of more than 65,535 bytes, which
    /// no bundle can hold, is `None`.
    pub fn push(&mut self, leaf: &[u8], hash: Hash) -> Option<Vec<File>> {
        let length = u16::try_from(leaf.len()).ok()?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(leaf);
        let mut files = self.put(NodeId { level: 0, index: self.frontier.size() }, hash);
        for node in self.frontier.append(hash) {
            if node.id.level.is_multiple_of(HEIGHT) {
                files.extend(self.put(node.id, node.hash));
            }
        }
        Some(files)
    }

    fn put(&mut self, id: NodeId, hash: Hash) -> Vec<File> {
        let level = id.level / HEIGHT;
        while self.open.len() <= usize::from(level) {
            self.open.push(Vec::new());
        }
        let Some(open) = self.open.get_mut(usize::from(level)) else { return Vec::new() };
        open.extend_from_slice(&hash);
        if id.index % WIDTH != WIDTH - 1 {
            return Vec::new();
        }
        let index = id.index / WIDTH;
        let content = std::mem::take(open);
        let mut files = vec![File { path: Tile { level, index, width: WIDTH }.path(), content }];
        if level == 0 {
            files.push(File { path: entries_path(index, WIDTH), content: std::mem::take(&mut self.bundle) });
        }
        files
    }

    /// The files that are not full.
    pub fn finish(self) -> Vec<File> {
        let size = self.frontier.size();
        let mut files = Vec::new();
        for (level, content) in (0..).zip(self.open) {
            let width = content.len() as u64 / 32;
            if width > 0 {
                let index = (size >> (u32::from(level) * u32::from(HEIGHT))) / WIDTH;
                files.push(File { path: Tile { level, index, width }.path(), content });
            }
        }
        if !self.bundle.is_empty() {
            files.push(File { path: entries_path(size / WIDTH, size % WIDTH), content: self.bundle });
        }
        files
    }
}
