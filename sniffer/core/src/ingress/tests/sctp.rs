//! SCTP associations.

use super::*;

pub(super) fn packet(source: u16, destination: u16, chunks: &[u8]) -> Vec<u8> {
    let mut bytes = source.to_be_bytes().to_vec();
    bytes.extend(destination.to_be_bytes());
    bytes.extend([0, 0, 0, 9, 0, 0, 0, 0]);
    bytes.extend(chunks);
    bytes
}

/// A DATA chunk; flags: 1 ends, 2 begins a message, 4 unordered.
pub(super) fn data(tsn: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0, flags];
    chunk.extend(u16::try_from(payload.len() + 16).unwrap().to_be_bytes());
    chunk.extend(tsn.to_be_bytes());
    chunk.extend([0, 1, 0, 2, 0, 0, 0, 0]);
    chunk.extend(payload);
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    chunk
}

fn frame(chunks: &[u8]) -> Vec<u8> {
    ipv4(132, 0, 0, &packet(5060, 5060, chunks))
}

#[test]
fn messages_in_any_chunks_in_any_order_with_repetitions_come_out_once() {
    let mut random = Random(0x5c79);
    for round in 0..200_u32 {
        let messages: Vec<_> = (0..1 + random.below(4)).map(|n| message(n, 40 * n)).collect();
        let mut tsn = (u32::MAX - 5).wrapping_add(round % 7);
        let mut frames = Vec::new();
        for message in &messages {
            let size = 180 + random.below(200);
            let count = message.chunks(size).count();
            for (n, part) in message.chunks(size).enumerate() {
                let flags = (2 * u8::from(n == 0)) | u8::from(n + 1 == count) | (4 * u8::from(round % 2 == 0));
                frames.push(frame(&data(tsn, flags, part)));
                tsn = tsn.wrapping_add(1);
            }
        }
        for _ in 0..random.below(3) {
            frames.push(frames[random.below(frames.len())].clone());
        }
        random.shuffle(&mut frames);
        let mut scene = Scene::new();
        for frame in &frames {
            if let Err(reason) = scene.packet(frame) {
                assert_eq!(reason, Reason::SctpRepeated);
            }
        }
        let mut found = scene.payloads();
        found.sort_unstable();
        let mut expected: Vec<_> = messages.iter().map(Vec::as_slice).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "round {round}");
        scene.finish();
        assert_eq!((scene.ingress.bytes(), scene.lost(Reason::SctpExpired)), (0, 0));
    }
}

#[test]
fn several_messages_in_a_packet_come_out_and_other_protocols_are_passed_over() {
    let mut scene = Scene::new();
    let sack = [3, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let bundle = [&sack[..], &data(1, 3, &message(1, 5)), &data(2, 3, &message(2, 6))].concat();
    assert_eq!(scene.packet(&frame(&bundle)), Ok(Taken::Delivered));
    assert_eq!(scene.payloads(), [message(1, 5).as_slice(), &message(2, 6)]);
    assert!(scene.out.iter().all(|(transport, _)| *transport == Transport::Sctp));
    assert_eq!(scene.packet(&frame(&sack)), Err(Reason::SctpEmpty));
    assert_eq!(scene.packet(&frame(&data(3, 3, &[0, 0x11, 0, 9]))), Err(Reason::Sctp));
    assert_eq!(scene.packet(&frame(&[0, 3, 0, 2])), Err(Reason::SctpHeader));
    // A message that begins and ends in one packet, its middle in the next.
    let long = message(3, 300);
    assert_eq!(
        scene.packet(&frame(&[data(4, 2, &long[..200]), data(6, 1, &long[400..])].concat())),
        Ok(Taken::Waiting)
    );
    assert_eq!(scene.packet(&frame(&data(5, 0, &long[200..400]))), Ok(Taken::Delivered));
    assert_eq!(scene.out.last().unwrap().1, long);
    scene.finish();
}

#[test]
fn i_data_chunks_are_put_together_by_their_own_numbers() {
    let i_data = |tsn: u32, flags: u8, field: u32, payload: &[u8]| {
        let mut chunk = vec![64, flags];
        chunk.extend(u16::try_from(payload.len() + 20).unwrap().to_be_bytes());
        chunk.extend(tsn.to_be_bytes());
        chunk.extend([0, 1, 0, 0, 0, 0, 0, 7]);
        chunk.extend(field.to_be_bytes());
        chunk.extend(payload);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    };
    let long = message(3, 300);
    let mut scene = Scene::new();
    assert_eq!(scene.packet(&frame(&i_data(14, 1, 2, &long[400..]))), Ok(Taken::Waiting));
    assert_eq!(scene.packet(&frame(&i_data(10, 2, 0, &long[..200]))), Ok(Taken::Waiting));
    assert_eq!(scene.packet(&frame(&i_data(12, 0, 1, &long[200..400]))), Ok(Taken::Delivered));
    assert_eq!(scene.payloads(), [long.as_slice()]);
    scene.finish();
}

#[test]
fn chunks_whose_message_stays_incomplete_expire_and_a_flood_is_bounded() {
    let mut scene = Scene::new();
    assert_eq!(scene.packet(&frame(&data(4, 2, &message(3, 300)[..200]))), Ok(Taken::Waiting));
    scene.wait(30);
    assert_eq!(scene.lost(Reason::SctpExpired), 1);
    let mut scene = Scene::with(Settings { memory_bytes: 80_000, hash_seed: 1, ..Settings::default() });
    for n in 0..2000_u32 {
        let port = 1024 + u16::try_from(n).unwrap();
        let chunk = data(n, 2, &message(3, 300)[..200]);
        assert_eq!(scene.packet(&ipv4(132, 0, 0, &packet(port, 5060, &chunk))), Ok(Taken::Waiting));
        assert!(scene.ingress.bytes() <= 20_000);
    }
    assert!(scene.lost(Reason::SctpLimit) > 1900);
    scene.finish();
}

/// Between two hosts of two addresses each: a packet with a random tag over one of the two paths.
fn over(path: u8, tag: u32, chunks: &[u8]) -> Vec<u8> {
    let mut bytes = packet(5060, 5060, chunks);
    bytes[4..8].copy_from_slice(&tag.to_be_bytes());
    let mut frame = ipv4(132, 0, 0, &bytes);
    (frame[14], frame[18]) = (path, path);
    frame
}

#[test]
fn a_message_whose_chunks_take_both_paths_of_an_association_comes_out_once() {
    let long = message(3, 300);
    let mut scene = Scene::new();
    assert_eq!(scene.packet(&over(2, 0x7a0b_1c2d, &data(10, 2, &long[..200]))), Ok(Taken::Waiting));
    assert_eq!(scene.packet(&over(3, 0x7a0b_1c2d, &data(11, 1, &long[200..]))), Ok(Taken::Delivered));
    assert_eq!(scene.payloads(), [long.as_slice()]);
    assert_eq!(scene.packet(&over(3, 0x7a0b_1c2d, &data(10, 2, &long[..200]))), Err(Reason::SctpRepeated));
    // A tag that is not random says nothing: these are two associations.
    for path in [2, 3] {
        assert_eq!(scene.packet(&over(path, 1, &data(20, 3, &message(4, 50)))), Ok(Taken::Delivered));
    }
    assert_eq!(scene.out.len(), 3);
    scene.finish();
}

#[test]
fn a_chunk_that_is_left_over_goes_alone_and_not_with_the_message_that_is_coming() {
    let (lost, whole) = (message(1, 300), message(2, 300));
    let mut scene = Scene::new();
    assert_eq!(scene.packet(&frame(&data(1, 2, &lost[..200]))), Ok(Taken::Waiting));
    scene.wait(29);
    assert_eq!(scene.packet(&frame(&data(5, 2, &whole[..200]))), Ok(Taken::Waiting));
    scene.wait(1);
    assert_eq!((scene.lost(Reason::SctpExpired), scene.ingress.tally().waiting), (1, 1));
    assert_eq!(scene.packet(&frame(&data(6, 1, &whole[200..]))), Ok(Taken::Delivered));
    assert_eq!(scene.payloads(), [whole.as_slice()]);
    scene.wait(60);
    assert_eq!((scene.ingress.bytes(), scene.lost(Reason::SctpExpired)), (0, 1));
    scene.finish();
}
