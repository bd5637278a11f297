update image set title = 'After', tags = '[{"name": "new"}]', updated_on = '2024-01-01' where title = 'Before';
delete from image where title = 'Vanishes';
update image set url = 'https://example.org/spare.jpg' where title = 'Swaps its url';
update image set url = 'https://example.org/4.jpg' where title = 'Swaps as well';
update image set url = 'https://example.org/5.jpg' where title = 'Swaps its url';
insert into image (identifier, created_on, updated_on, provider, source, foreign_identifier, url, license, removed_from_source, title)
values ('00000000-0000-4000-8000-000000000006', now(), now(), 'met', 'met', 'f3', 'https://example.org/3.jpg', 'cc0', false, 'Comes, with the url of the vanished one');
