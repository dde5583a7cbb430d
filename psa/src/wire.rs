//! One question and one answer over a Unix stream socket: a 32-bit big-endian length, then that many bytes of JSON.
//! Helper and sniffer speak it alike.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Why there is no answer. `Display` is for the log.
#[derive(Debug, Error)]
pub enum WireError {
    /// Nothing came in time.
    #[error("no answer in {0:?}")]
    Late(Duration),
    /// The socket failed.
    #[error("the socket failed")]
    Socket(#[from] io::Error),
    /// A question or an answer is longer than allowed.
    #[error("a message of {length} bytes is longer than the {limit} allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: u32,
    },
    /// A message is not what the protocol says.
    #[error("a message does not parse")]
    Json(#[from] serde_json::Error),
}

/// A process to ask. Each question has a connection of its own: nothing is left over from one person's question when
/// another asks, and a restarted process is found at once.
#[derive(Debug)]
pub struct Peer {
    socket: PathBuf,
    turns: Semaphore,
    max_question: u32,
    max_answer: u32,
}

impl Peer {
    /// A process that listens at `socket`.
    #[must_use]
    pub fn new(socket: PathBuf, questions_at_once: usize, max_question: u32, max_answer: u32) -> Self {
        Self { socket, turns: Semaphore::new(questions_at_once), max_question, max_answer }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When nothing comes within `time`, or what comes is no answer.
    pub async fn ask<Q: Serialize, A: DeserializeOwned>(&self, question: &Q, time: Duration) -> Result<A, WireError> {
        tokio::time::timeout(time, self.exchange(question)).await.map_err(|_| WireError::Late(time))?
    }

    async fn exchange<Q: Serialize, A: DeserializeOwned>(&self, question: &Q) -> Result<A, WireError> {
        // The semaphore is never closed; if it were, asking without a turn is still right.
        let _turn = self.turns.acquire().await.ok();
        // Questions carry passwords and answers carry keys: both are wiped after use.
        let body = Zeroizing::new(serde_json::to_vec(question)?);
        let length = checked(body.len(), self.max_question)?;
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(&body).await?;
        let mut header = [0; 4];
        stream.read_exact(&mut header).await?;
        let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        checked(length, self.max_answer)?;
        let mut answer = Zeroizing::new(vec![0; length]);
        stream.read_exact(&mut answer).await?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

fn checked(length: usize, limit: u32) -> Result<u32, WireError> {
    u32::try_from(length).ok().filter(|length| *length <= limit).ok_or(WireError::TooLong { length, limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// A process that reads a question and says `bytes`, then holds the connection.
    async fn answer_of(bytes: &'static [u8], time: Duration) -> Result<u32, WireError> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let other = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; 5];
            stream.read_exact(&mut question).await.unwrap();
            assert_eq!(question, *b"\0\0\0\x017");
            stream.write_all(bytes).await.unwrap();
            std::future::pending::<()>().await;
        };
        let peer = Peer::new(socket, 1, 10, 10);
        tokio::select! {
            answer = peer.ask(&7_u32, time) => answer,
            () = other => unreachable!(),
        }
    }

    const SOON: Duration = Duration::from_millis(50);
    const ENOUGH: Duration = Duration::from_secs(20);

    #[actix_web::test]
    async fn an_answer_is_read_whole() {
        assert_eq!(answer_of(b"\0\0\0\x0242", ENOUGH).await.unwrap(), 42);
    }

    #[actix_web::test]
    async fn an_answer_beyond_the_limit_is_refused_before_it_is_read() {
        let answer = answer_of(b"\xff\xff\xff\xff", ENOUGH).await;
        assert!(matches!(answer, Err(WireError::TooLong { length: 0xffff_ffff, limit: 10 })), "{answer:?}");
    }

    #[actix_web::test]
    async fn a_process_that_says_nothing_does_not_hold_the_page() {
        assert!(matches!(answer_of(b"\0\0", SOON).await, Err(WireError::Late(_))));
    }

    #[actix_web::test]
    async fn what_is_no_answer_is_an_error() {
        assert!(matches!(answer_of(b"\0\0\0\x02{}", ENOUGH).await, Err(WireError::Json(_))));
    }

    #[actix_web::test]
    async fn a_question_beyond_the_limit_is_not_sent() {
        let peer = Peer::new("/nonexistent".into(), 1, 10, 10);
        let answer: Result<u32, _> = peer.ask(&"0123456789", ENOUGH).await;
        assert!(matches!(answer, Err(WireError::TooLong { length: 12, limit: 10 })), "{answer:?}");
    }
}
