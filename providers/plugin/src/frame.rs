//! Frames: `Content-Length: N`, an empty line, N bytes of JSON – what language servers speak too.
//! Reading is strict and bounded: the other side is not trusted, and after a broken frame nobody
//! knows where the next one begins.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest frame, in bytes. What is larger comes in pieces.
pub const LARGEST: usize = 8 << 20;

/// The longest head of a frame, in bytes.
const LONGEST_HEAD: u64 = 1024;

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream ended in the middle of a frame.
    #[error("the stream ends in the middle of a frame")]
    Cut,
    /// The head is no head.
    #[error("a frame begins with {0} instead of `Content-Length: …`")]
    Head(String),
    /// The length is no length, or too large.
    #[error("a frame says that it is {0} bytes long; at most {LARGEST} are allowed")]
    Length(String),
    /// The stream cannot be used.
    #[error("the stream cannot be used")]
    Stream(#[from] std::io::Error),
}

/// Reads one frame; `None` when the stream ends before it.
///
/// # Errors
/// When the stream fails, or what it carries is no frame.
pub async fn read(input: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Vec<u8>>, FrameError> {
    let Some(length) = read_head(input).await? else { return Ok(None) };
    let mut body = vec![0; length];
    match input.read_exact(&mut body).await {
        Ok(_) => Ok(Some(body)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(FrameError::Cut),
        Err(error) => Err(error.into()),
    }
}

async fn read_head(input: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<usize>, FrameError> {
    let mut head = input.take(LONGEST_HEAD);
    let mut length = None;
    let mut first = true;
    loop {
        let mut line = Vec::new();
        head.read_until(b'\n', &mut line).await?;
        if first && line.is_empty() {
            return Ok(None);
        }
        first = false;
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(if head.limit() == 0 { wrong_head(&line) } else { FrameError::Cut });
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return length.map(Some).ok_or_else(|| wrong_head(line));
        }
        match field(line) {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                if length.is_some() {
                    return Err(wrong_head(line));
                }
                length = Some(read_length(value)?);
            }
            Some((name, _)) if name.eq_ignore_ascii_case("content-type") => {}
            _ => return Err(wrong_head(line)),
        }
    }
}

fn field(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim_matches(' ')))
}

fn read_length(text: &str) -> Result<usize, FrameError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(length) if digits && (1..=LARGEST).contains(&length) => Ok(length),
        _ => Err(FrameError::Length(shown(text.as_bytes()))),
    }
}

fn wrong_head(line: &[u8]) -> FrameError {
    FrameError::Head(format!("\"{}\"", shown(line)))
}

/// The beginning of untrusted bytes, fit to be shown.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
    text.escape_debug().to_string()
}

/// Writes one frame.
///
/// # Errors
/// When the stream fails, or the body is larger than a frame may be.
pub async fn write(output: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> Result<(), FrameError> {
    if !(1..=LARGEST).contains(&body.len()) {
        return Err(FrameError::Length(body.len().to_string()));
    }
    output.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes()).await?;
    output.write_all(body).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(mut bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut frames = Vec::new();
        while let Some(frame) = read(&mut bytes).await.map_err(|error| error.to_string())? {
            frames.push(String::from_utf8_lossy(&frame).into_owned());
        }
        Ok(frames)
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        for body in ["{}", "[\"ü\"]"] {
            write(&mut bytes, body.as_bytes()).await.expect("a frame");
        }
        bytes.extend(b"content-length: 2\nContent-Type: application/json\n\n[]");
        assert_eq!(all(&bytes).await, Ok(vec!["{}".into(), "[\"ü\"]".into(), "[]".into()]));
        assert_eq!(all(b"").await, Ok(Vec::new()));
        assert!(write(&mut Vec::new(), &vec![b' '; LARGEST + 1]).await.is_err());
        assert!(write(&mut Vec::new(), b"").await.is_err());
    }

    #[tokio::test]
    async fn what_is_no_frame_is_an_error() {
        for (bytes, trouble) in [
            ("Content-Length: 2000000000\r\n\r\n", "2000000000 bytes long"),
            ("Content-Length: -5\r\n\r\nhello", "-5 bytes long"),
            ("Content-Length: +5\r\n\r\nhello", "+5 bytes long"),
            ("Content-Length: 0\r\n\r\n", "0 bytes long"),
            ("Content-Length: 99999999999999999999999\r\n\r\n", "bytes long"),
            ("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "begins with"),
            ("Content-Length: 9\r\n\r\n{}", "ends in the middle"),
            ("Content-Len", "ends in the middle"),
            ("\r\n\r\n", "begins with"),
            ("{\"jsonrpc\":\"2.0\"}\n", "begins with \"{"),
            ("Hello\u{1b}[2K\n", "\"Hello\\u{1b}[2K\""),
            ("X-Other: 1\r\nContent-Length: 2\r\n\r\n{}", "begins with"),
        ] {
            let error = all(bytes.as_bytes()).await.expect_err(bytes);
            assert!(error.contains(trouble), "{bytes}: {error}");
        }
        let endless = "x".repeat(1 << 20);
        assert!(all(endless.as_bytes()).await.expect_err("endless").len() < 200);
    }
}
