create materialized view image_counts as select source, count(*) from image group by source;
create policy only_by on audio using (license = 'by');
